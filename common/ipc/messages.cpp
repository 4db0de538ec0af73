#include "common/ipc/messages.h"

#include <algorithm>

#include "common/ipc/decoding.h"

namespace mailstead::ipc {

namespace {

constexpr std::size_t kShortText = 256;
constexpr std::size_t kLongText = 4'096;
constexpr std::size_t kMaxSaslBytes = 64 * 1024;
constexpr std::size_t kMaxChange = 16 * 1024 * 1024;
constexpr std::size_t kMaxFields = 64;

Parsed<Secret> read_secret(ByteReader& in, std::size_t at_most) {
    const std::string_view bytes = in.string();
    if (!in.ok() || bytes.size() > at_most) return ParseError("truncated message", 0);
    return Secret(bytes);
}

void write_origin(ByteWriter& out, const Origin& origin) {
    out.u8(static_cast<std::uint8_t>(origin.service));
    write_ip(out, origin.client.ip);
    out.varint(origin.client.port);
    out.string(origin.helo);
    out.string(origin.tls_version);
    out.string(origin.tls_cipher);
    out.varint(origin.auth_account.value);
    out.string(origin.auth_login);
}

Parsed<Origin> read_origin(ByteReader& in) {
    Origin origin;
    TRY(service, read_enum(in, Service::admin));
    TRY(ip, read_ip(in));
    const std::uint64_t port = in.varint();
    if (port > UINT16_MAX) return ParseError("not a port", 0);
    TRY(helo, read_text(in, kLongText));
    TRY(version, read_text(in, kShortText));
    TRY(cipher, read_text(in, kShortText));
    origin.auth_account = AccountId(in.varint32());
    TRY(login, read_text(in, kShortText * 4));
    origin.service = service;
    origin.client = {ip, static_cast<std::uint16_t>(port)};
    origin.helo = std::move(helo);
    origin.tls_version = std::move(version);
    origin.tls_cipher = std::move(cipher);
    origin.auth_login = std::move(login);
    return origin;
}

}  // namespace

bool is_known(MessageType type) {
    return type >= MessageType::hello && type <= MessageType::undelete_answer;
}

bool is_sensitive(MessageType type) {
    return type == MessageType::hello || type == MessageType::auth_step || type == MessageType::auth_answer;
}

std::string_view to_string(MessageType type) {
    switch (type) {
        case MessageType::hello:
            return "hello";
        case MessageType::auth_step:
            return "auth_step";
        case MessageType::auth_answer:
            return "auth_answer";
        case MessageType::auth_cancel:
            return "auth_cancel";
        case MessageType::deliver_message:
            return "deliver_message";
        case MessageType::deliver_answer:
            return "deliver_answer";
        case MessageType::apply_change:
            return "apply_change";
        case MessageType::change_answer:
            return "change_answer";
        case MessageType::ledger_line:
            return "ledger_line";
        case MessageType::quota_question:
            return "quota_question";
        case MessageType::quota_answer:
            return "quota_answer";
        case MessageType::queue_command:
            return "queue_command";
        case MessageType::queue_answer:
            return "queue_answer";
        case MessageType::status_question:
            return "status_question";
        case MessageType::status_answer:
            return "status_answer";
        case MessageType::account_gone:
            return "account_gone";
        case MessageType::damage_report:
            return "damage_report";
        case MessageType::account_changed:
            return "account_changed";
        case MessageType::sessions_ended:
            return "sessions_ended";
        case MessageType::session_poll:
            return "session_poll";
        case MessageType::session_orders:
            return "session_orders";
        case MessageType::session_check:
            return "session_check";
        case MessageType::session_verdicts:
            return "session_verdicts";
        case MessageType::session_result:
            return "session_result";
        case MessageType::who_question:
            return "who_question";
        case MessageType::who_answer:
            return "who_answer";
        case MessageType::kick_command:
            return "kick_command";
        case MessageType::done:
            return "done";
        case MessageType::hold_command:
            return "hold_command";
        case MessageType::hold_answer:
            return "hold_answer";
        case MessageType::undelete_messages:
            return "undelete_messages";
        case MessageType::undelete_answer:
            return "undelete_answer";
        case MessageType::refused:
            break;
    }
    return "refused";
}

std::string_view to_string(Service service) {
    switch (service) {
        case Service::smtp:
            return "smtp";
        case Service::submission:
            return "submission";
        case Service::imap:
            return "imap";
        case Service::pop3:
            return "pop3";
        case Service::admin:
            break;
    }
    return "admin";
}

std::string Hello::encode() const {
    ByteWriter out;
    out.varint(version);
    out.string(program);
    out.string(key.reveal());
    return out.take();
}

Parsed<Hello> Hello::decode(std::string_view bytes) {
    ByteReader in(bytes);
    Hello hello;
    hello.version = in.varint32();
    TRY(program, read_text(in, kShortText));
    TRY(key, read_secret(in, kShortText));
    hello.program = std::move(program);
    hello.key = std::move(key);
    return finish(in, std::move(hello));
}

Parsed<Done> Done::decode(std::string_view bytes) {
    return finish(ByteReader(bytes), Done{});
}

std::string Refused::encode() const {
    ByteWriter out;
    out.string(std::string_view(reason).substr(0, kLongText));
    return out.take();
}

Parsed<Refused> Refused::decode(std::string_view bytes) {
    ByteReader in(bytes);
    TRY(reason, read_text(in, kLongText));
    return finish(in, Refused{std::move(reason)});
}

std::string AuthStep::encode() const {
    ByteWriter out;
    out.fixed64(conversation);
    out.fixed64(attempt);
    out.u8(static_cast<std::uint8_t>(service));
    write_ip(out, client_ip);
    out.string(mechanism);
    out.boolean(has_initial);
    out.string(bindings.tls_exporter);
    out.string(bindings.tls_unique);
    out.string(bindings.tls_server_end_point);
    out.boolean(under_tls);
    out.string(client_bytes.reveal());  // last, here and below: no growing buffer leaves a copy of it behind
    return out.take();
}

Parsed<AuthStep> AuthStep::decode(std::string_view bytes) {
    ByteReader in(bytes);
    AuthStep step;
    step.conversation = in.fixed64();
    step.attempt = in.fixed64();
    TRY(service, read_enum(in, Service::admin));
    TRY(ip, read_ip(in));
    TRY(mechanism, read_text(in, kShortText));
    TRY(has_initial, read_flag(in));
    TRY(exporter, read_text(in, kShortText));
    TRY(unique, read_text(in, kShortText));
    TRY(server_end_point, read_text(in, kShortText));
    TRY(under_tls, read_flag(in));
    TRY(client_bytes, read_secret(in, kMaxSaslBytes));
    step.service = service;
    step.client_ip = ip;
    step.mechanism = std::move(mechanism);
    step.has_initial = has_initial;
    step.client_bytes = std::move(client_bytes);
    step.bindings = {std::move(exporter), std::move(unique), std::move(server_end_point)};
    step.under_tls = under_tls;
    return finish(in, std::move(step));
}

namespace {

struct WriteAuthOutcome {
    ByteWriter& out;
    void operator()(const AuthChallenge& challenge) const {
        out.u8(0);
        out.fixed64(challenge.conversation);
        out.string(challenge.bytes.reveal());
    }
    void operator()(const AuthSuccess& success) const {
        out.u8(1);
        out.varint(success.account.value);
        out.string(success.login);
        write_credential(out, success.credential);
        out.fixed64(success.epoch);
        out.string(success.final_bytes.reveal());
    }
    void operator()(const AuthFailure& failure) const {
        out.u8(2);
        out.u8(static_cast<std::uint8_t>(failure.kind));
        out.string(std::string_view(failure.reason).substr(0, kLongText));
    }
    void operator()(const AuthBusy& busy) const {
        out.u8(3);
        out.string(std::string_view(busy.reason).substr(0, kLongText));
    }
};

Parsed<AuthChallenge> read_challenge(ByteReader& in) {
    const std::uint64_t conversation = in.fixed64();
    TRY(challenge, read_secret(in, kMaxSaslBytes));
    return AuthChallenge{std::move(challenge), conversation};
}

Parsed<AuthSuccess> read_success(ByteReader& in) {
    const AccountId account(in.varint32());
    TRY(login, read_text(in, kShortText * 4));
    TRY(credential, read_credential(in));
    const std::uint64_t epoch = in.fixed64();
    TRY(final_bytes, read_secret(in, kMaxSaslBytes));
    if (!account) return ParseError("success needs an account", 0);
    return AuthSuccess{account, std::move(login), std::move(final_bytes), std::move(credential), epoch};
}

}  // namespace

std::string AuthAnswer::encode() const {
    ByteWriter out;
    std::visit(WriteAuthOutcome{out}, outcome);
    return out.take();
}

Parsed<AuthAnswer> AuthAnswer::decode(std::string_view bytes) {
    ByteReader in(bytes);
    AuthAnswer answer;
    switch (in.u8()) {
        case 0: {
            TRY(challenge, read_challenge(in));
            answer.outcome = std::move(challenge);
            break;
        }
        case 1: {
            TRY(success, read_success(in));
            answer.outcome = std::move(success);
            break;
        }
        case 2: {
            TRY(kind, read_enum(in, AuthFailure::Kind::not_authorized));
            TRY(reason, read_text(in, kLongText));
            answer.outcome = AuthFailure{std::move(reason), kind};
            break;
        }
        case 3: {
            TRY(reason, read_text(in, kLongText));
            answer.outcome = AuthBusy{std::move(reason)};
            break;
        }
        default:
            return ParseError("unknown outcome", 0);
    }
    return finish(in, std::move(answer));
}

std::string AuthCancel::encode() const {
    ByteWriter out;
    out.fixed64(conversation);
    out.fixed64(attempt);
    return out.take();
}

Parsed<AuthCancel> AuthCancel::decode(std::string_view bytes) {
    ByteReader in(bytes);
    AuthCancel cancel;
    cancel.conversation = in.fixed64();
    cancel.attempt = in.fixed64();
    return finish(in, cancel);
}

std::string DeliverMessage::encode() const {
    ByteWriter out;
    out.string(trace_id);
    write_envelope(out, envelope);
    write_origin(out, origin);
    out.string(verdict);
    out.varint(size);
    write_time(out, received);
    out.boolean(junk);
    return out.take();
}

Parsed<DeliverMessage> DeliverMessage::decode(std::string_view bytes) {
    ByteReader in(bytes);
    DeliverMessage message;
    TRY(trace_id, read_text(in, kShortText));
    TRY(envelope, read_envelope(in));
    TRY(origin, read_origin(in));
    TRY(verdict, read_text(in, kLongText));
    message.size = in.varint();
    message.received = read_time(in);
    TRY(junk, read_flag(in));
    message.trace_id = std::move(trace_id);
    message.envelope = std::move(envelope);
    message.origin = std::move(origin);
    message.verdict = std::move(verdict);
    message.junk = junk;
    return finish(in, std::move(message));
}

std::string DeliverAnswer::encode() const {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(outcome));
    out.string(std::string_view(text).substr(0, kLongText));
    out.varint(queue_id);
    return out.take();
}

Parsed<DeliverAnswer> DeliverAnswer::decode(std::string_view bytes) {
    ByteReader in(bytes);
    DeliverAnswer answer;
    TRY(outcome, read_enum(in, Outcome::permanent));
    TRY(text, read_text(in, kLongText));
    answer.outcome = outcome;
    answer.text = std::move(text);
    answer.queue_id = in.varint();
    return finish(in, std::move(answer));
}

std::string ApplyChange::encode() const {
    ByteWriter out;
    out.varint(account.value);
    out.string(change);
    return out.take();
}

Parsed<ApplyChange> ApplyChange::decode(std::string_view bytes) {
    ByteReader in(bytes);
    ApplyChange apply;
    apply.account = AccountId(in.varint32());
    TRY(change, read_text(in, kMaxChange));
    if (!apply.account) return ParseError("a change needs an account", 0);
    apply.change = std::move(change);
    return finish(in, std::move(apply));
}

std::string ChangeAnswer::encode() const {
    ByteWriter out;
    out.u8(error);
    out.string(bytes);
    return out.take();
}

Parsed<ChangeAnswer> ChangeAnswer::decode(std::string_view from) {
    ByteReader in(from);
    ChangeAnswer answer;
    answer.error = in.u8();
    TRY(result, read_text(in, kMaxChange));
    answer.bytes = std::move(result);
    return finish(in, std::move(answer));
}

std::string LedgerLine::encode() const {
    ByteWriter out;
    out.string(trace_id);
    write_time(out, time);
    out.string(stage);
    out.varint(fields.size());
    for (const auto& [key, value] : fields) {
        out.string(key);
        out.string(std::string_view(value).substr(0, kLongText));
    }
    return out.take();
}

Parsed<LedgerLine> LedgerLine::decode(std::string_view bytes) {
    ByteReader in(bytes);
    LedgerLine line;
    TRY(trace_id, read_text(in, kShortText));
    line.time = read_time(in);
    TRY(stage, read_text(in, kShortText));
    const std::size_t count = in.count();
    if (count > kMaxFields) return ParseError("too many fields", 0);
    for (std::size_t i = 0; i < count; ++i) {
        TRY(key, read_text(in, kShortText));
        TRY(value, read_text(in, kLongText));
        line.fields.emplace_back(std::move(key), std::move(value));
    }
    line.trace_id = std::move(trace_id);
    line.stage = std::move(stage);
    return finish(in, std::move(line));
}

std::string QuotaQuestion::encode() const {
    ByteWriter out;
    out.varint(account.value);
    out.varint(size);
    return out.take();
}

Parsed<QuotaQuestion> QuotaQuestion::decode(std::string_view bytes) {
    ByteReader in(bytes);
    QuotaQuestion question;
    question.account = AccountId(in.varint32());
    question.size = in.varint();
    return finish(in, question);
}

std::string QuotaAnswer::encode() const {
    ByteWriter out;
    out.boolean(over);
    return out.take();
}

Parsed<QuotaAnswer> QuotaAnswer::decode(std::string_view bytes) {
    ByteReader in(bytes);
    TRY(over, read_flag(in));
    return finish(in, QuotaAnswer{over});
}

namespace {

struct WriteSelector {
    ByteWriter& out;
    void operator()(const QueueCommand::All&) const { out.u8(0); }
    void operator()(const QueueId& id) const {
        out.u8(1);
        out.varint(id.value);
    }
    void operator()(const QueueCommand::ToDomain& to) const {
        out.u8(2);
        out.string(to.domain);
    }
    void operator()(const QueueCommand::ToRecipient& to) const {
        out.u8(3);
        out.string(to.address);
    }
};

Parsed<QueueCommand::Selector> read_selector(ByteReader& in) {
    switch (in.u8()) {
        case 0:
            return QueueCommand::Selector(QueueCommand::All{});
        case 1:
            return QueueCommand::Selector(QueueId(in.varint()));
        case 2: {
            TRY(domain, read_text(in, kShortText));
            return QueueCommand::Selector(QueueCommand::ToDomain{std::move(domain)});
        }
        case 3: {
            TRY(address, read_text(in, kShortText * 4));
            return QueueCommand::Selector(QueueCommand::ToRecipient{std::move(address)});
        }
        default:
            return ParseError("unknown selector", 0);
    }
}

}  // namespace

std::string QueueCommand::encode() const {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(op));
    std::visit(WriteSelector{out}, selector);
    return out.take();
}

Parsed<QueueCommand> QueueCommand::decode(std::string_view bytes) {
    ByteReader in(bytes);
    TRY(op, read_enum(in, Op::remove));
    TRY(selector, read_selector(in));
    return finish(in, QueueCommand{op, std::move(selector)});
}

std::string QueueAnswer::encode() const {
    ByteWriter out;
    out.varint(count);
    out.string(std::string_view(error).substr(0, kLongText));
    return out.take();
}

Parsed<QueueAnswer> QueueAnswer::decode(std::string_view bytes) {
    ByteReader in(bytes);
    QueueAnswer answer;
    answer.count = in.varint();
    TRY(error, read_text(in, kLongText));
    answer.error = std::move(error);
    return finish(in, std::move(answer));
}

}  // namespace mailstead::ipc
