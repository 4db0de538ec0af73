// Performs the actions of a POP3 ServerCore against a made-up maildrop, on bytes given in pieces of any size.
// For unit tests and the fuzz target. The world: joe / secret by USER, PLAIN and SCRAM-SHA-256 (whose
// messages are `first` and `final`, and whose last word is `v=proof`); `busy` cannot be checked now, `other`
// may not act as somebody else.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imapd/pop3/core/multiline.h"
#include "imapd/pop3/core/server_core.h"

namespace mailstead::imapd::pop3 {

struct World {
    std::vector<std::string> messages = {"Subject: one\r\n\r\nFirst\r\n",
                                         "Subject: two\r\n\r\n.dots\r\nLast\r\n",
                                         "Subject: three\r\n\r\n1\r\n2\r\n3\r\n"};
    std::vector<std::uint32_t> gone;     // removed by others
    std::vector<std::uint32_t> removed;  // by this session
    std::optional<Trouble> trouble;      // of everything from now on
    std::vector<std::string> hidden;     // from the account
    int updates = 0;
    int tls_starts = 0;
};

class FakeSession {
public:
    FakeSession(const Profile& profile, World& world, bool tls)
        : world_(world), tls_(tls), core_(profile, out_), action_(core_.start(facts())) {
        work();
    }

    void feed(std::string_view bytes) {
        buffer_ += bytes;
        work();
    }
    // Replies since the last call.
    std::string take() { return std::exchange(out_, {}); }
    std::string say(std::string_view line) {
        feed(std::string(line) + "\r\n");
        return take();
    }
    bool closed() const { return std::holds_alternative<Close>(action_); }
    const Action& waiting_for() const { return action_; }
    const ServerCore& core() const { return core_; }

private:
    LoginFacts facts() const { return {tls_ ? "SCRAM-SHA-256 PLAIN" : "SCRAM-SHA-256", tls_, !tls_}; }

    void work() {
        while (!closed()) {
            auto next = std::visit([this](auto& action) { return perform(action); }, action_);
            if (!next) return;
            action_ = *std::move(next);
        }
    }

    std::optional<Action> perform(ReadLine& action) {
        const std::size_t newline = buffer_.find('\n');
        if (newline == std::string::npos) {
            too_long_ = too_long_ || buffer_.size() > action.limit + 1;
            return std::nullopt;
        }
        std::string line = buffer_.substr(0, newline);
        buffer_.erase(0, newline + 1);
        if (line.ends_with('\r')) line.pop_back();
        const bool long_line = std::exchange(too_long_, false) || line.size() > action.limit;
        return long_line ? core_.on_long_line() : core_.on_line(line);
    }
    std::optional<Action> perform(StartTls&) {
        ++world_.tls_starts;
        buffer_.clear();
        tls_ = true;
        return core_.on_tls(facts());
    }
    std::optional<Action> perform(AuthStep& step) {
        using Kind = AuthStep::Kind;
        if (step.kind == Kind::cancel) return core_.resume();
        const std::string bytes(step.message ? step.message->reveal() : std::string_view());
        if (step.kind == Kind::password) return core_.on_auth(judge(step.user, bytes));
        if (step.kind == Kind::begin) mechanism_ = step.mechanism;
        if (!step.message) return core_.on_auth(AuthChallenge{Secret()});
        if (mechanism_ == "PLAIN") {
            const std::size_t user = bytes.find('\0');
            const std::size_t password = user == std::string::npos ? user : bytes.find('\0', user + 1);
            if (password == std::string::npos) return core_.on_auth(AuthRefused{AuthRefused::Why::malformed});
            return core_.on_auth(
                judge(bytes.substr(user + 1, password - user - 1), bytes.substr(password + 1)));
        }
        if (bytes == "first") return core_.on_auth(AuthChallenge{Secret("server-first")});
        if (bytes == "final") return core_.on_auth(AuthAccepted{AccountId(1), "joe", Secret("v=proof")});
        return core_.on_auth(AuthRefused{AuthRefused::Why::malformed});
    }
    AuthAnswer judge(std::string_view user, std::string_view password) const {
        if (user == "busy") return AuthRefused{AuthRefused::Why::unavailable};
        if (user == "other") return AuthRefused{AuthRefused::Why::not_authorized};
        if (user != "joe" || password != "secret") return AuthRefused{AuthRefused::Why::wrong_credentials};
        return AuthAccepted{AccountId(1), "joe", Secret()};
    }
    std::optional<Action> perform(OpenMaildrop&) {
        if (world_.trouble) return core_.on_maildrop(*world_.trouble);
        std::uint64_t octets = 0;
        for (const std::string& message : world_.messages) octets += message.size();
        return core_.on_maildrop(
            MaildropFacts{static_cast<std::uint32_t>(world_.messages.size()), octets, world_.hidden});
    }
    MessageAnswer find(std::uint32_t number) const {
        if (world_.trouble) return *world_.trouble;
        for (const std::uint32_t gone : world_.gone) {
            if (gone == number) return MessageGone{};
        }
        return MessageFacts{world_.messages.at(number - 1).size(), "9." + std::to_string(number)};
    }
    std::optional<Action> perform(LookUp& look) { return core_.on_message(find(look.number)); }
    std::optional<Action> perform(WriteListing& list) {
        for (std::uint32_t n = 1; n <= world_.messages.size(); ++n) {
            const MessageAnswer found = find(n);
            const auto* facts = std::get_if<MessageFacts>(&found);
            if (!core_.is_listed(n) || facts == nullptr) continue;
            const bool sizes = list.what == WriteListing::What::sizes;
            out_ +=
                std::to_string(n) + ' ' + (sizes ? std::to_string(facts->octets) : facts->unique_id) + "\r\n";
        }
        return core_.resume();
    }
    std::optional<Action> perform(OpenMessage& open) {
        open_ = open.number;
        return core_.on_opened(find(open.number));
    }
    std::optional<Action> perform(SendMessage& send) {
        MultilineWriter writer(send.body_lines);
        writer.feed(world_.messages.at(open_ - 1), out_);
        writer.finish(out_);
        return core_.resume();
    }
    std::optional<Action> perform(Update& update) {
        ++world_.updates;
        for (std::uint32_t n = 1; n <= update.removed.size(); ++n) {
            if (update.removed[n - 1]) world_.removed.push_back(n);
        }
        return core_.on_updated(!world_.trouble);
    }
    std::optional<Action> perform(Close&) { return std::nullopt; }

    World& world_;
    bool tls_;
    std::string out_;
    std::string buffer_;
    bool too_long_ = false;
    std::string mechanism_;
    std::uint32_t open_ = 0;
    ServerCore core_;
    Action action_;
};

}  // namespace mailstead::imapd::pop3
