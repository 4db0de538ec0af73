// A POP3 session without I/O (RFC 1939, RFC 2449, RFC 2595, RFC 5034, RFC 6856): lines and answers go in,
// replies and actions come out. One owner; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imapd/pop3/core/actions.h"

namespace mailstead::imapd::pop3 {

// Everything that a peer can drive has a bound here.
struct CoreLimits {
    // RFC 2449, 4 allows commands 255 bytes; what follows AUTH may be long (RFC 5034, 4).
    std::size_t login_line = 12'288;
    std::size_t line = 512;
    std::uint32_t bad_commands = 20;     // in a row
    std::uint32_t login_commands = 100;  // before the login
    std::uint32_t failed_logins = 5;
    Milliseconds idle{10 * 60'000};  // RFC 1939, 3: at least ten minutes
};

struct Profile {
    std::string hostname;             // A-labels, for the greeting
    std::vector<std::string> hidden;  // CAPA tags not offered; upper case
    CoreLimits limits;

    bool offers(std::string_view tag) const;
};

class ServerCore {
public:
    // Replies are appended to `out`. Both outlive the core.
    ServerCore(const Profile& profile, std::string& out) : profile_(profile), out_(out) {}

    Action start(LoginFacts facts);
    // One line without its end.
    Action on_line(std::string_view line);
    Action on_long_line();
    Action on_tls(LoginFacts facts);
    Action on_auth(AuthAnswer answer);
    Action on_maildrop(MaildropAnswer answer);
    Action on_message(MessageAnswer answer);
    Action on_opened(MessageAnswer answer);
    Action on_updated(bool done);
    // After actions without an answer.
    Action resume();

    // For WriteListing: whether message `number` is to be seen.
    bool is_listed(std::uint32_t number) const;
    // Whether the client can take UTF-8 in headers (RFC 6856, 2.1).
    bool utf8() const { return utf8_; }
    bool is_logged_in() const { return state_ == State::transaction; }

private:
    enum class State : std::uint8_t { authorization, transaction };
    enum class After : std::uint8_t { nothing, listing };
    struct Row;
    using Handler = Action (ServerCore::*)(std::string_view arguments);

    static const Row* find_row(std::string_view keyword);
    Action run(const Row& row, std::string_view arguments);

    // commands.cpp
    Action capa(std::string_view arguments);
    Action lang(std::string_view arguments);
    Action noop(std::string_view arguments);
    Action quit(std::string_view arguments);
    Action stat(std::string_view arguments);
    Action list(std::string_view arguments);
    Action uidl(std::string_view arguments);
    Action retr(std::string_view arguments);
    Action top(std::string_view arguments);
    Action dele(std::string_view arguments);
    Action rset(std::string_view arguments);
    // login.cpp
    Action user(std::string_view arguments);
    Action pass(std::string_view arguments);
    Action auth(std::string_view arguments);
    Action auth_line(std::string_view line);
    Action stop_auth(std::string_view text);
    Action stls(std::string_view arguments);
    Action utf8_mode(std::string_view arguments);
    Action accept_login();
    Action refuse_login(AuthRefused::Why why);

    Action listing(std::string_view arguments, WriteListing::What what);
    // The message that `arguments` name; an action when there is none, with its reply said.
    std::optional<Action> name_message(std::string_view text, std::uint32_t& number);
    void write_capabilities();
    bool offers(std::string_view tag) const;
    void say(std::string_view status, std::string_view text);
    Action ok(std::string_view text);
    Action refuse(std::string_view text);
    Action trouble(Trouble what);
    Action next_command();

    const Profile& profile_;
    std::string& out_;
    LoginFacts login_;
    State state_ = State::authorization;
    After after_ = After::nothing;
    bool utf8_ = false;
    std::string user_;          // named by USER
    bool in_exchange_ = false;  // of SASL: the next line is no command
    std::optional<AuthAccepted> pending_login_;
    std::vector<std::string> hidden_;  // from the account, since the login
    std::uint32_t messages_ = 0;
    std::uint64_t octets_ = 0;
    std::vector<bool> removed_;  // empty: none
    std::uint32_t removed_count_ = 0;
    std::uint64_t removed_octets_ = 0;
    std::uint32_t number_ = 0;  // of the command in hand
    enum class Wanted : std::uint8_t { size, unique_id, removal } wanted_ = Wanted::size;
    std::optional<std::uint32_t> body_lines_;
    std::uint32_t bad_commands_ = 0;
    std::uint32_t login_commands_ = 0;
    std::uint32_t failed_logins_ = 0;
};

}  // namespace mailstead::imapd::pop3
