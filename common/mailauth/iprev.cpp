#include "common/mailauth/iprev.h"

#include <algorithm>

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kMaxNames = 10;

bool holds(const dns::AnyAnswer& answer, const dns::IpAddress& address) {
    return std::any_of(answer.records.begin(), answer.records.end(), [&](const dns::Record& record) {
        const auto* found = std::get_if<dns::IpAddress>(&record);
        return found != nullptr && *found == address;
    });
}

}  // namespace

std::string_view to_string(IprevVerdict verdict) {
    switch (verdict) {
        case IprevVerdict::pass:
            return "pass";
        case IprevVerdict::fail:
            return "fail";
        case IprevVerdict::permerror:
            return "permerror";
        case IprevVerdict::temperror:
            return "temperror";
    }
    return "temperror";
}

IprevCheck::IprevCheck(const dns::IpAddress& client) : client_(client.unmapped()) {
    questions_.push_back({client_.reverse_name(), dns::RecordType::ptr});
}

void IprevCheck::answer(Answers answers) {
    if (questions_.empty() || answers.size() != questions_.size()) return;
    questions_.clear();
    if (!have_names_) {
        have_names_ = true;
        take_names(std::move(answers.front()));
    } else {
        take_addresses(answers);
    }
}

void IprevCheck::take_names(dns::AnyAnswer answer) {
    if (answer.failed()) return;
    result_.verdict = IprevVerdict::permerror;
    for (dns::Target& target : dns::narrow<dns::Target>(std::move(answer)).records) {
        if (names_.size() == kMaxNames) break;
        if (!dns::is_askable(target.name)) continue;
        names_.push_back(std::move(target.name));
    }
    if (names_.empty()) return;
    result_.name = names_.front();
    const auto type = client_.is_v4() ? dns::RecordType::a : dns::RecordType::aaaa;
    for (const std::string& name : names_) questions_.push_back({name, type});
}

void IprevCheck::take_addresses(const Answers& answers) {
    result_.verdict = IprevVerdict::fail;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (holds(answers[i], client_)) result_.confirmed_names.push_back(names_[i]);
        if (answers[i].failed()) result_.verdict = IprevVerdict::temperror;
    }
    if (result_.confirmed_names.empty()) return;
    result_.verdict = IprevVerdict::pass;
    result_.name = result_.confirmed_names.front();
}

}  // namespace mailstead::mailauth
