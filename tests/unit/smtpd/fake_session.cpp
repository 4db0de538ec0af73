#include "tests/unit/smtpd/fake_session.h"

#include <algorithm>

namespace mailstead::smtpd::testing {
namespace {

const TlsReady kTls{"SCRAM-SHA-256 PLAIN LOGIN"};
const std::string kAlice("\0alice\0secret", 13);
const std::string kBusy("\0busy\0secret", 12);

RecipientVerdict local(const Address& to, std::uint32_t account, std::string detail) {
    return {.status = RecipientStatus::accepted,
            .to = to,
            .targets = {.local = {{AccountId(account), std::move(detail)}}, .remote = {}}};
}

}  // namespace

Profile exchange_profile() {
    Profile profile;
    profile.hostname = "mx.example.org";
    profile.offers_starttls = true;
    profile.limits.body = {.message_octets = 10'000, .header_octets = 1'000};
    return profile;
}

Profile submission_profile() {
    Profile profile = exchange_profile();
    profile.service = Service::submission;
    return profile;
}

FakeSession::FakeSession(const Profile& profile, World& world, bool tls)
    : core_(profile, "id", tls ? std::optional(kTls) : std::nullopt), world_(world), action_(core_.start()) {}

void FakeSession::feed(std::string_view bytes) {
    buffer_.append(bytes);
    work();
}

void FakeSession::fail(Failure failure) {
    action_ = core_.on_failure(failure);
    work();
}

std::string FakeSession::take_replies() {
    return std::exchange(core_.replies(), {});
}

void FakeSession::work() {
    while (!closed()) {
        if (fail_at_ && fail_at_->first == steps_) {
            action_ = core_.on_failure(fail_at_->second);
            return;
        }
        auto next = std::visit([this](const auto& action) { return perform(action); }, action_);
        if (!next) return;
        ++steps_;
        action_ = *std::move(next);
    }
}

std::optional<Action> FakeSession::perform(const ReadLine& action) {
    const LineReader::Found found = lines_.next(buffer_, action.limit);
    std::optional<Action> next;
    if (found.complete) next = core_.on_line(found.line);
    buffer_.erase(0, found.consume);
    return next;
}

std::optional<Action> FakeSession::perform(const ReadBody& action) {
    if (!data_) data_ = std::make_unique<smtp::DataDecoder>(action.limits);
    buffer_.erase(0, data_->feed(buffer_, body_));
    if (!data_->done()) return std::nullopt;
    const BodyOutcome outcome{.octets = data_->octets(), .fault = data_->fault()};
    data_.reset();
    return core_.on_body(outcome);
}

std::optional<Action> FakeSession::perform(const ReadChunk& action) {
    if (!in_chunk_) {
        in_chunk_ = true;
        skip_ = action.octets;
        if (action.keep) {
            if (!chunks_) chunks_ = std::make_unique<smtp::ChunkDecoder>(action.limits);
            chunks_->begin_chunk(action.octets, action.last);
        }
    }
    if (!action.keep) {
        const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, buffer_.size()));
        buffer_.erase(0, size);
        skip_ -= size;
        if (skip_ > 0) return std::nullopt;
        in_chunk_ = false;
        return core_.on_chunk({});
    }
    buffer_.erase(0, chunks_->feed(buffer_, body_));
    if (!chunks_->chunk_complete()) return std::nullopt;
    in_chunk_ = false;
    if (chunks_->done()) chunks_->finish(body_);
    return core_.on_chunk({.octets = chunks_->octets(), .fault = chunks_->fault()});
}

std::optional<Action> FakeSession::perform(const AuthStep& action) {
    if (action.kind == AuthStep::Kind::cancel) return core_.resume();
    const std::string message = action.message.value_or("");
    const bool begins = action.kind == AuthStep::Kind::begin;
    if (begins) auth_.clear();
    if (action.mechanism == "LOGIN") {
        if (begins && !action.message) return core_.on_auth(AuthChallenge{"Username:"});
        if (auth_.empty()) {
            auth_ = std::string(1, '\0') + message + std::string(1, '\0');
            return core_.on_auth(AuthChallenge{"Password:"});
        }
        auth_ += message;
    } else if (begins && !action.message) {
        return core_.on_auth(AuthChallenge{""});
    } else if (action.mechanism == "SCRAM-SHA-256") {
        if (message == "first") return core_.on_auth(AuthChallenge{"server-first"});
        if (message == "final")
            return core_.on_auth(AuthAccepted{AccountId(1), "alice@example.org", "v=proof"});
        return core_.on_auth(AuthRefused{AuthRefusal::malformed});
    } else {
        auth_ = message;
    }
    if (auth_ == kAlice) return core_.on_auth(AuthAccepted{AccountId(1), "alice@example.org", ""});
    if (auth_ == kBusy) return core_.on_auth(AuthRefused{AuthRefusal::unavailable});
    return core_.on_auth(AuthRefused{AuthRefusal::wrong_credentials});
}

std::optional<Action> FakeSession::perform(const ResolveRecipient& action) {
    const Address to = action.to ? *action.to : *Address::parse("postmaster@example.org");
    RecipientVerdict verdict{.status = RecipientStatus::unknown_user, .to = to, .targets = {}};
    const std::string name = to.local().folded();
    const std::string user = name.substr(0, name.find('+'));
    const std::string detail = user.size() < name.size() ? to.local().decoded().substr(user.size() + 1) : "";
    if (to.domain().ascii() != "example.org") {
        verdict.status = RecipientStatus::not_ours;
        verdict.targets.remote.push_back(to);
    } else if (user == "alice" || user == "postmaster") {
        verdict = local(to, 1, detail);
    } else if (user == "bob" || user == "j\xC3\xBCrgen") {
        verdict = local(to, 2, detail);
    } else if (user == "full") {
        verdict.status = RecipientStatus::over_quota;
    } else if (user == "later") {
        verdict.status = RecipientStatus::unavailable;
    }
    return core_.on_recipient(std::move(verdict));
}

std::optional<Action> FakeSession::perform(const CheckSender& action) {
    const std::string key = action.from.key();
    if (key == "later@example.org") return core_.on_sender(SenderVerdict::unavailable);
    return core_.on_sender(key == "alice@example.org" ? SenderVerdict::allowed : SenderVerdict::not_yours);
}

std::optional<Action> FakeSession::perform(const OpenBody&) {
    body_.clear();
    return core_.on_room(world_.room);
}

std::optional<Action> FakeSession::perform(const StartTls&) {
    buffer_.clear();
    lines_.reset();
    return core_.on_tls(kTls);
}

std::optional<Action> FakeSession::perform(const Deliver&) {
    world_.delivered.push_back({.transaction = core_.transaction(), .text = body_});
    return core_.on_delivered(world_.answer);
}

std::optional<Action> FakeSession::perform(const DropBody&) {
    body_.clear();
    data_.reset();
    chunks_.reset();
    return core_.resume();
}

std::optional<Action> FakeSession::perform(const Pause&) {
    return core_.resume();
}

std::optional<Action> FakeSession::perform(const Close&) {
    return std::nullopt;
}

}  // namespace mailstead::smtpd::testing
