// One POP3 connection: performs the actions of the core. The only part that waits. What it does before login
// leads to no mailbox.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/ipc/session_book.h"
#include "common/net/last_call.h"
#include "imapd/pop3/core/multiline.h"
#include "imapd/pop3/core/server_core.h"
#include "imapd/pop3/core/surrogate.h"
#include "imapd/pop3/maildrop.h"
#include "imapd/session/backend.h"
#include "imapd/session/connection.h"
#include "imapd/session/login.h"

namespace mailstead::imapd::pop3 {

class Session final : private Listening, private ipc::LiveSession {
public:
    // All outlive it.
    Session(Connection& connection, LoginService& logins, Backend& backend, const ListenerFacts& listener,
            std::string session_id);
    ~Session() override;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Until the connection is to be closed.
    net::Task<void> run();

private:
    ipc::SessionFacts facts() const override;
    void end(ipc::EndReason reason) override;
    void on_change() override {}  // the maildrop is of the moment of the login (RFC 1939, 5)

    net::Task<Action> perform(Action action);
    net::Task<Action> read_line(ReadLine action);
    Action take_leave();
    void note_command(std::string_view line);
    net::Task<Action> start_tls();
    net::Task<Action> authenticate(AuthStep step);
    net::Task<Action> open_maildrop(OpenMaildrop action);
    Action look_up(LookUp action);
    net::Task<Action> write_listing(WriteListing action);
    net::Task<Action> open_message(OpenMessage action);
    net::Task<Action> send_message(SendMessage action);
    // Bytes of the opened file into the response; false when the session is over or enough was sent.
    net::Task<bool> send_range(MultilineWriter& writer, mime::ByteRange range);
    net::Task<bool> send_text(MultilineWriter& writer, std::string_view text);
    net::Task<Action> update(Update action);
    LoginFacts login_facts() const;
    Trouble trouble_of(const store::Failure& failure) const;

    Connection& connection_;
    Backend& backend_;
    const ListenerFacts& listener_;
    const std::string session_id_;
    Login login_;
    const Profile profile_;
    ServerCore core_;
    std::optional<AccountId> proved_;  // whom deliver let in: no other account is ever opened
    Proof proof_;
    Time since_{};  // the login
    Time last_time_{};
    std::string last_command_;
    net::LastCall last_call_;
    std::optional<ipc::EndReason> ended_;  // by deliver's order
    std::optional<AccountId> joined_;
    std::string user_;
    std::optional<Maildrop> maildrop_;
    // The message in hand.
    std::optional<Maildrop::Opened> message_;
    std::vector<Replacement> replacements_;
    std::string piece_;
    const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    bool broken_ = false;
    std::uint64_t sent_ = 0;     // messages
    std::uint64_t removed_ = 0;  // messages
};

}  // namespace mailstead::imapd::pop3
