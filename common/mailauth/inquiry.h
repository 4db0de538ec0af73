// How the checks of this folder ask the DNS. Each is a machine that does no I/O:
//
//     while (!machine.questions().empty()) machine.answer(answers to all of them, in the same order);
//
// All questions of one round may be asked at the same time. A machine asks a bounded number of rounds and
// questions; whoever drives it bounds the time and gives `transient_failure` for what did not come in time.
#pragma once

#include <concepts>
#include <utility>
#include <vector>

#include "common/dns/records.h"

namespace mailstead::mailauth {

using Questions = std::vector<dns::Question>;
using Answers = std::vector<dns::AnyAnswer>;

template <class Machine>
concept Inquiring = requires(Machine machine, const Machine& constant, Answers answers) {
    { constant.questions() } -> std::same_as<const Questions&>;
    machine.answer(std::move(answers));
};

// Drives a machine with `lookup`, a function from a question to its answer that does not wait: tables in
// tests, a cache.
template <Inquiring Machine, class Lookup>
void drive(Machine& machine, Lookup&& lookup) {
    while (!machine.questions().empty()) {
        Answers answers;
        answers.reserve(machine.questions().size());
        for (const dns::Question& question : machine.questions()) answers.push_back(lookup(question));
        machine.answer(std::move(answers));
    }
}

}  // namespace mailstead::mailauth
