// A session before login: greeting, CAPABILITY, ID, STARTTLS, LOGIN, AUTHENTICATE. Includes nothing of the
// store, and the process gives it no way to a mailbox: it can only ask whether a proof holds.
#pragma once

#include <optional>
#include <string>

#include "common/base/ids.h"
#include "imapd/proto/command.h"
#include "imapd/proto/response.h"
#include "imapd/session/capabilities.h"
#include "imapd/session/connection.h"
#include "imapd/session/login.h"

namespace mailstead::imapd {

// A proof that held. The command that brought it is still to be answered.
struct LoggedIn {
    std::string tag;
    AccountId account;
    std::string login;
    Proof proof{};
    std::string client{};  // as it called itself, see client_name.h
};

class Preauth {
public:
    // The greeting is for a new connection; after UNAUTHENTICATE there is none.
    enum class Greeting : bool { no, yes };
    Preauth(Connection& connection, LoginService& service, const ListenerFacts& listener,
            std::string session_id, Greeting greeting = Greeting::yes);

    // Until somebody has logged in; nullopt when the session is over.
    net::Task<std::optional<LoggedIn>> run();

private:
    struct Answer {
        proto::Condition condition = proto::Condition::ok;
        std::string_view code;
        std::string_view text;
    };
    net::Task<bool> on_command();
    net::Task<bool> execute(proto::Command& command);
    net::Task<bool> start_tls(std::string tag);
    net::Task<Answer> log_in(proto::Login& login);
    net::Task<Answer> authenticate(proto::Authenticate& request);
    net::Task<Answer> converse(LoginAnswer answered);
    // The client's answer to a challenge; nullopt when it gave up or sent no base64.
    net::Task<std::optional<Secret>> ask_client(std::string_view challenge);
    net::Task<Answer> finish(LoginSuccess& success);
    static Answer answer_to(LoginRefusal::Why why);
    void answer(std::string_view tag, const Answer& given);
    bool count_bad(std::string_view tag, std::string_view text);
    void bye(std::string_view text, std::string_view code = {});

    std::string capability_line() const;

    Connection& connection_;
    const ListenerFacts& listener_;
    std::string session_id_;
    Capabilities capabilities_;
    Login login_;
    Greeting greeting_;
    std::string tag_;  // of the command in hand
    std::string client_;
    std::optional<LoggedIn> logged_in_;
    unsigned bad_commands_ = 0;
    bool over_ = false;
};

}  // namespace mailstead::imapd
