#include "common/ipc/session_messages.h"

#include "common/ipc/decoding.h"

namespace mailstead::ipc {

namespace {

constexpr std::size_t kMaxId = 64;
constexpr std::size_t kMaxName = 256;  // of clients, commands, mailboxes
constexpr std::size_t kMaxLogin = 1'024;
constexpr std::size_t kMaxListed = 100'000;  // an answer is bounded by the channel's frames

void write_cut(ByteWriter& out, std::string_view text) {
    out.string(text.substr(0, kMaxName));
}

Parsed<std::size_t> read_count(ByteReader& in, std::size_t at_most) {
    const std::size_t count = in.count();
    if (!in.ok() || count > at_most) return ParseError("too many", 0);
    return count;
}

struct WriteSelector {
    ByteWriter& out;
    void operator()(const SessionsOf& of) const {
        out.u8(0);
        out.varint(of.account.value);
    }
    void operator()(const SessionNamed& named) const {
        out.u8(1);
        out.string(named.id);
    }
    void operator()(const SessionsFrom& from) const {
        out.u8(2);
        write_ip(out, from.address);
    }
};

Parsed<SessionSelector> read_selector(ByteReader& in) {
    switch (in.u8()) {
        case 0:
            return SessionSelector(SessionsOf{AccountId(in.varint32())});
        case 1: {
            TRY(id, read_text(in, kMaxId));
            return SessionSelector(SessionNamed{std::move(id)});
        }
        case 2: {
            TRY(address, read_ip(in));
            return SessionSelector(SessionsFrom{address});
        }
        default:
            return ParseError("unknown selector", 0);
    }
}

struct WriteOrder {
    ByteWriter& out;
    void operator()(const SessionOrder::Recheck& recheck) const {
        out.u8(0);
        out.varint(recheck.account.value);
    }
    void operator()(const SessionOrder::Describe& describe) const {
        out.u8(1);
        out.varint(describe.account.value);
    }
    void operator()(const SessionOrder::End& end) const {
        out.u8(2);
        std::visit(WriteSelector{out}, end.which);
    }
};

Parsed<SessionOrder> read_order(ByteReader& in) {
    SessionOrder order;
    order.task = in.fixed64();
    switch (in.u8()) {
        case 0:
            order.what = SessionOrder::Recheck{AccountId(in.varint32())};
            return order;
        case 1:
            order.what = SessionOrder::Describe{AccountId(in.varint32())};
            return order;
        case 2: {
            TRY(which, read_selector(in));
            order.what = SessionOrder::End{std::move(which)};
            return order;
        }
        default:
            return ParseError("unknown order", 0);
    }
}

void write_facts(ByteWriter& out, const SessionFacts& facts) {
    out.string(facts.id);
    out.u8(static_cast<std::uint8_t>(facts.service));
    out.varint(facts.account.value);
    out.string(facts.login);
    write_cut(out, facts.client);
    write_ip(out, facts.peer.ip);
    out.varint(facts.peer.port);
    write_cut(out, facts.tls);
    write_time(out, facts.since);
    write_time(out, facts.last_time);
    write_cut(out, facts.last_command);
    write_cut(out, facts.mailbox);
    write_credential(out, facts.credential);
}

Parsed<SessionFacts> read_facts(ByteReader& in) {
    SessionFacts facts;
    TRY(id, read_text(in, kMaxId));
    TRY(service, read_enum(in, Service::admin));
    facts.account = AccountId(in.varint32());
    TRY(login, read_text(in, kMaxLogin));
    TRY(client, read_text(in, kMaxName));
    TRY(ip, read_ip(in));
    const std::uint64_t port = in.varint();
    if (port > UINT16_MAX) return ParseError("not a port", 0);
    TRY(tls, read_text(in, kMaxName));
    facts.since = read_time(in);
    facts.last_time = read_time(in);
    TRY(last_command, read_text(in, kMaxName));
    TRY(mailbox, read_text(in, kMaxName));
    TRY(credential, read_credential(in));
    facts.id = std::move(id);
    facts.service = service;
    facts.login = std::move(login);
    facts.client = std::move(client);
    facts.peer = {ip, static_cast<std::uint16_t>(port)};
    facts.tls = std::move(tls);
    facts.last_command = std::move(last_command);
    facts.mailbox = std::move(mailbox);
    facts.credential = std::move(credential);
    return facts;
}

void write_sessions(ByteWriter& out, const std::vector<SessionFacts>& sessions) {
    out.varint(sessions.size());
    for (const SessionFacts& each : sessions) write_facts(out, each);
}

Parsed<std::vector<SessionFacts>> read_sessions(ByteReader& in, std::size_t at_most) {
    TRY(count, read_count(in, at_most));
    std::vector<SessionFacts> sessions;
    for (std::size_t i = 0; i < count; ++i) {
        TRY(facts, read_facts(in));
        sessions.push_back(std::move(facts));
    }
    return sessions;
}

std::string encode_account(AccountId account) {
    ByteWriter out;
    out.varint(account.value);
    return out.take();
}

}  // namespace

std::string_view to_sentence(EndReason reason) {
    switch (reason) {
        case EndReason::credential:
            return "The password of this session is not valid any more";
        case EndReason::account_locked:
            return "The account is locked";
        case EndReason::account_removed:
            return "The account is no more";
        case EndReason::administrator:
            break;
    }
    return "The administrator ended the session";
}

std::string SessionVerdicts::encode() const {
    ByteWriter out;
    out.varint(ended.size());
    for (const auto& [id, reason] : ended) {
        out.string(id);
        out.u8(static_cast<std::uint8_t>(reason));
    }
    return out.take();
}

Parsed<SessionVerdicts> SessionVerdicts::decode(std::string_view bytes) {
    ByteReader in(bytes);
    SessionVerdicts verdicts;
    TRY(count, read_count(in, kMaxSessionsInMessage));
    for (std::size_t i = 0; i < count; ++i) {
        TRY(id, read_text(in, kMaxId));
        TRY(reason, read_enum(in, EndReason::administrator));
        verdicts.ended.emplace_back(std::move(id), reason);
    }
    return finish(in, std::move(verdicts));
}

std::string SessionCheck::encode() const {
    ByteWriter out;
    out.varint(claims.size());
    for (const Claim& claim : claims) {
        out.string(claim.id);
        out.varint(claim.account.value);
        write_credential(out, claim.credential);
    }
    return out.take();
}

Parsed<SessionCheck> SessionCheck::decode(std::string_view bytes) {
    ByteReader in(bytes);
    SessionCheck check;
    TRY(count, read_count(in, kMaxSessionsInMessage));
    for (std::size_t i = 0; i < count; ++i) {
        Claim claim;
        TRY(id, read_text(in, kMaxId));
        claim.account = AccountId(in.varint32());
        TRY(credential, read_credential(in));
        claim.id = std::move(id);
        claim.credential = std::move(credential);
        check.claims.push_back(std::move(claim));
    }
    return finish(in, std::move(check));
}

std::string SessionOrders::encode() const {
    ByteWriter out;
    out.fixed64(epoch);
    out.boolean(check_all);
    out.varint(orders.size());
    for (const SessionOrder& order : orders) {
        out.fixed64(order.task);
        std::visit(WriteOrder{out}, order.what);
    }
    return out.take();
}

Parsed<SessionOrders> SessionOrders::decode(std::string_view bytes) {
    ByteReader in(bytes);
    SessionOrders answer;
    answer.epoch = in.fixed64();
    TRY(check_all, read_flag(in));
    answer.check_all = check_all;
    TRY(count, read_count(in, kMaxSessionOrders));
    for (std::size_t i = 0; i < count; ++i) {
        TRY(order, read_order(in));
        answer.orders.push_back(std::move(order));
    }
    return finish(in, std::move(answer));
}

std::string SessionPoll::encode() const {
    ByteWriter out;
    out.boolean(first);
    return out.take();
}

Parsed<SessionPoll> SessionPoll::decode(std::string_view bytes) {
    ByteReader in(bytes);
    TRY(first, read_flag(in));
    return finish(in, SessionPoll{first});
}

std::string SessionResult::encode() const {
    ByteWriter out;
    out.fixed64(task);
    out.varint(count);
    out.boolean(last);
    write_sessions(out, sessions);
    return out.take();
}

Parsed<SessionResult> SessionResult::decode(std::string_view bytes) {
    ByteReader in(bytes);
    SessionResult result;
    result.task = in.fixed64();
    result.count = in.varint();
    TRY(last, read_flag(in));
    TRY(sessions, read_sessions(in, kMaxSessionsInMessage));
    result.last = last;
    result.sessions = std::move(sessions);
    return finish(in, std::move(result));
}

std::string SessionsEnded::encode() const {
    ByteWriter out;
    out.varint(count);
    out.varint(silent);
    return out.take();
}

Parsed<SessionsEnded> SessionsEnded::decode(std::string_view bytes) {
    ByteReader in(bytes);
    SessionsEnded ended;
    ended.count = in.varint();
    ended.silent = in.varint();
    return finish(in, ended);
}

std::string AccountChanged::encode() const {
    return encode_account(account);
}

Parsed<AccountChanged> AccountChanged::decode(std::string_view bytes) {
    ByteReader in(bytes);
    const AccountId account(in.varint32());
    if (!account) return ParseError("a change needs an account", 0);
    return finish(in, AccountChanged{account});
}

std::string KickCommand::encode() const {
    ByteWriter out;
    std::visit(WriteSelector{out}, which);
    return out.take();
}

Parsed<KickCommand> KickCommand::decode(std::string_view bytes) {
    ByteReader in(bytes);
    TRY(which, read_selector(in));
    return finish(in, KickCommand{std::move(which)});
}

std::string WhoAnswer::encode() const {
    ByteWriter out;
    out.boolean(more);
    out.varint(silent);
    write_sessions(out, sessions);
    return out.take();
}

Parsed<WhoAnswer> WhoAnswer::decode(std::string_view bytes) {
    ByteReader in(bytes);
    WhoAnswer answer;
    TRY(more, read_flag(in));
    answer.silent = in.varint();
    TRY(sessions, read_sessions(in, kMaxListed));
    answer.more = more;
    answer.sessions = std::move(sessions);
    return finish(in, std::move(answer));
}

std::string WhoQuestion::encode() const {
    return encode_account(account);
}

Parsed<WhoQuestion> WhoQuestion::decode(std::string_view bytes) {
    ByteReader in(bytes);
    const AccountId account(in.varint32());
    return finish(in, WhoQuestion{account});
}

}  // namespace mailstead::ipc
