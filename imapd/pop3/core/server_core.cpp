#include "imapd/pop3/core/server_core.h"

#include <algorithm>
#include <array>

#include "common/base/text.h"

namespace mailstead::imapd::pop3 {

bool Profile::offers(std::string_view tag) const {
    return std::find(hidden.begin(), hidden.end(), tag) == hidden.end();
}

namespace {

enum Legal : std::uint8_t { kAuthorization = 1, kTransaction = 2, kBoth = 3 };

}  // namespace

struct ServerCore::Row {
    std::string_view keyword;
    std::uint8_t states;
    Handler handler;
    std::string_view tag;  // hidden with this CAPA tag; empty: always there
};

const ServerCore::Row* ServerCore::find_row(std::string_view keyword) {
    using C = ServerCore;
    static constexpr std::array<Row, 16> kRows{{
        {"AUTH", kAuthorization, &C::auth, "SASL"},
        {"CAPA", kBoth, &C::capa, ""},
        {"DELE", kTransaction, &C::dele, ""},
        {"LANG", kBoth, &C::lang, "LANG"},
        {"LIST", kTransaction, &C::list, ""},
        {"NOOP", kTransaction, &C::noop, ""},
        {"PASS", kAuthorization, &C::pass, "USER"},
        {"QUIT", kBoth, &C::quit, ""},
        {"RETR", kTransaction, &C::retr, ""},
        {"RSET", kTransaction, &C::rset, ""},
        {"STAT", kTransaction, &C::stat, ""},
        {"STLS", kAuthorization, &C::stls, "STLS"},
        {"TOP", kTransaction, &C::top, "TOP"},
        {"UIDL", kTransaction, &C::uidl, "UIDL"},
        {"USER", kAuthorization, &C::user, "USER"},
        {"UTF8", kAuthorization, &C::utf8_mode, "UTF8"},
    }};
    for (const Row& row : kRows) {
        if (text::iequals(row.keyword, keyword)) return &row;
    }
    return nullptr;
}

bool ServerCore::offers(std::string_view tag) const {
    return profile_.offers(tag) &&
           std::none_of(hidden_.begin(), hidden_.end(),
                        [tag](const std::string& name) { return text::iequals(name, tag); });
}

Action ServerCore::start(LoginFacts facts) {
    login_ = std::move(facts);
    say("+OK", profile_.hostname + " POP3 ready");
    return next_command();
}

// command = keyword *(SP argument) CRLF   (RFC 1939, 3)
Action ServerCore::on_line(std::string_view line) {
    if (in_exchange_) return auth_line(line);
    const std::size_t space = std::min(line.find(' '), line.size());
    const Row* const row = find_row(line.substr(0, space));
    if (row == nullptr || (!row->tag.empty() && !offers(row->tag))) return refuse("Unknown command");
    return run(*row, space < line.size() ? line.substr(space + 1) : std::string_view());
}

Action ServerCore::run(const Row& row, std::string_view arguments) {
    const bool transaction = state_ == State::transaction;
    if ((row.states & (transaction ? kTransaction : kAuthorization)) == 0)
        return refuse(transaction ? "You are logged in already" : "Log in first");
    if (!transaction && ++login_commands_ > profile_.limits.login_commands) {
        say("-ERR", "Too many commands without a login");
        return Close{};
    }
    return (this->*row.handler)(arguments);
}

Action ServerCore::on_long_line() {
    if (in_exchange_) return stop_auth("Line too long");
    return refuse("Line too long");
}

Action ServerCore::resume() {
    if (std::exchange(after_, After::nothing) == After::listing) out_ += ".\r\n";
    return next_command();
}

bool ServerCore::is_listed(std::uint32_t number) const {
    return removed_.empty() || !removed_[number - 1];
}

// ---- replies

void ServerCore::say(std::string_view status, std::string_view text) {
    out_ += status;
    if (!text.empty()) out_ += ' ';
    out_ += text;
    out_ += "\r\n";
}

Action ServerCore::ok(std::string_view text) {
    bad_commands_ = 0;
    say("+OK", text);
    return next_command();
}

Action ServerCore::refuse(std::string_view text) {
    say("-ERR", text);
    if (++bad_commands_ < profile_.limits.bad_commands) return next_command();
    say("-ERR", "Too many bad commands");
    return Close{};
}

// RFC 2449, 8.1; RFC 3206, 3 and 4
Action ServerCore::trouble(Trouble what) {
    switch (what) {
        case Trouble::in_use:
            say("-ERR", "[IN-USE] Too many sessions of this account");
            break;
        case Trouble::permanent:
            say("-ERR", "[SYS/PERM] The mailbox is damaged");
            break;
        case Trouble::in_repair:
            say("-ERR",
                "[SYS/TEMP] Your mailbox is being repaired. Nothing is lost; please try again in a minute");
            break;
        case Trouble::lost:
            say("-ERR", "[SYS/PERM] The text of this message is lost on the server");
            break;
        case Trouble::temporary:
            say("-ERR", "[SYS/TEMP] Not possible now, try again later");
            break;
    }
    return next_command();
}

Action ServerCore::next_command() {
    const bool transaction = state_ == State::transaction;
    return ReadLine{transaction ? profile_.limits.line : profile_.limits.login_line, profile_.limits.idle};
}

}  // namespace mailstead::imapd::pop3
