// Performs the actions of a ServerCore against a made-up world, on bytes given in pieces of any size. For
// dialogs, splitting tests and the fuzz target. The world:
//   directory: example.org with alice (1), bob (2), full (over quota), later (cannot be looked up now), any
//   user+tag logins: alice / secret by PLAIN, LOGIN and SCRAM-SHA-256 (whose messages are `first`, `final`);
//   `busy` cannot be checked now
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/smtp/chunk.h"
#include "common/smtp/data_decoder.h"
#include "smtpd/core/line_reader.h"
#include "smtpd/core/server_core.h"

namespace mailstead::smtpd::testing {

struct Delivered {
    Transaction transaction;
    std::string text;
};

struct World {
    std::vector<Delivered> delivered;
    Room room = Room::enough;
    smtp::Reply answer{250, smtp::EnhancedCode{2, 0, 0}, "Accepted"};
};

class FakeSession {
public:
    // Both must outlive it. `tls`: the connection began with TLS.
    FakeSession(const Profile& profile, World& world, bool tls);

    // Bytes from the client; whatever can be done with them is done.
    void feed(std::string_view bytes);
    void fail(Failure failure);
    // Replies since the last call.
    std::string take_replies();
    bool closed() const { return std::holds_alternative<Close>(action_); }
    const ServerCore& core() const { return core_; }
    // Actions performed so far, and the one that waits for bytes.
    std::size_t steps() const { return steps_; }
    const Action& waiting_for() const { return action_; }
    // Fail in place of performing step number `step`.
    void fail_at(std::size_t step, Failure failure) { fail_at_ = {step, failure}; }

private:
    void work();
    std::optional<Action> perform(const ReadLine& action);
    std::optional<Action> perform(const ReadBody& action);
    std::optional<Action> perform(const ReadChunk& action);
    std::optional<Action> perform(const AuthStep& action);
    std::optional<Action> perform(const ResolveRecipient& action);
    std::optional<Action> perform(const CheckSender& action);
    std::optional<Action> perform(const OpenBody& action);
    std::optional<Action> perform(const StartTls& action);
    std::optional<Action> perform(const Deliver& action);
    std::optional<Action> perform(const DropBody& action);
    std::optional<Action> perform(const Pause& action);
    std::optional<Action> perform(const Close& action);

    ServerCore core_;
    World& world_;
    LineReader lines_;
    std::string buffer_;
    std::string body_;
    std::unique_ptr<smtp::DataDecoder> data_;
    std::unique_ptr<smtp::ChunkDecoder> chunks_;
    bool in_chunk_ = false;
    std::uint64_t skip_ = 0;
    std::string auth_;  // of the login that is going on: what was asked for
    std::optional<std::pair<std::size_t, Failure>> fail_at_;
    std::size_t steps_ = 0;
    Action action_;
};

Profile exchange_profile();
Profile submission_profile();

}  // namespace mailstead::smtpd::testing
