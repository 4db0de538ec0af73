#include "deliver/relay/client_core.h"

#include <algorithm>

#include "common/base/base64.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;

// RFC 5321, 4.5.3.2
constexpr auto kGreeting = 5min;
constexpr auto kCommand = 5min;
constexpr auto kDataInitiation = 2min;
constexpr auto kDataTermination = 10min;
// RFC 5321 gives none; a peer that holds a QUIT back only costs us a connection.
constexpr auto kQuit = 5s;

SendAndRead command(std::string bytes, std::chrono::milliseconds timeout = kCommand) {
    return SendAndRead{std::move(bytes), timeout};
}

smtp::EnhancedCode default_status(int code) {
    return {static_cast<std::uint8_t>(code / 100), 0, 0};
}

}  // namespace

RecipientVerdict verdict_of(const smtp::Reply& reply) {
    RecipientVerdict verdict;
    verdict.verdict = reply.positive()    ? Verdict::delivered
                      : reply.permanent() ? Verdict::permanent
                                          : Verdict::transient;
    verdict.status = reply.enhanced.value_or(default_status(reply.code));
    verdict.text = reply.to_text();
    return verdict;
}

ClientCore::ClientCore(ClientOptions options)
    : options_(std::move(options)), under_tls_(options_.tls == TlsUse::implicit) {}

ClientAction ClientCore::connected() {
    state_ = State::greeting;
    return command({}, kGreeting);
}

ClientAction ClientCore::on_reply(const smtp::Reply& reply) {
    // RFC 5321, 3.8: 421 may answer anything, and the server closes.
    if (reply.code == 421 && state_ != State::quitting) return refuse(verdict_of(reply));
    switch (state_) {
        case State::greeting:
            return on_greeting(reply);
        case State::ehlo:
        case State::helo:
            return on_hello(reply);
        case State::starttls:
            if (reply.positive()) {
                state_ = State::handshake;
                return UpgradeTls{};
            }
            if (options_.tls == TlsUse::required) return refuse(verdict_of(reply));
            options_.tls = TlsUse::never;
            return ready_or_upgrade();
        case State::auth:
            return on_auth(reply);
        case State::mail:
            return on_mail(reply);
        case State::rcpt:
            return on_rcpt(reply);
        case State::data:
            return on_data(reply);
        case State::message:
            return on_message(reply);
        case State::reset:
            if (!reply.positive()) return give_up();
            state_ = State::idle;
            return Idle{};
        case State::handshake:
        case State::idle:
        case State::quitting:
        case State::closed:
            break;
    }
    return give_up();
}

ClientAction ClientCore::on_greeting(const smtp::Reply& reply) {
    if (!reply.positive()) return refuse(verdict_of(reply));
    return say_hello();
}

ClientAction ClientCore::say_hello() {
    state_ = State::ehlo;
    std::string bytes;
    smtp::write_hello(smtp::Verb::ehlo, options_.helo_name, bytes);
    return command(std::move(bytes));
}

ClientAction ClientCore::on_hello(const smtp::Reply& reply) {
    if (reply.positive()) {
        capabilities_ = state_ == State::ehlo ? smtp::parse_capabilities(reply) : smtp::Capabilities{};
        return ready_or_upgrade();
    }
    // RFC 5321, 3.2: a server that does not know EHLO is greeted with HELO.
    if (state_ == State::ehlo && reply.permanent()) {
        state_ = State::helo;
        std::string bytes;
        smtp::write_hello(smtp::Verb::helo, options_.helo_name, bytes);
        return command(std::move(bytes));
    }
    return refuse(verdict_of(reply));
}

ClientAction ClientCore::ready_or_upgrade() {
    const bool wanted = !under_tls_ && options_.tls != TlsUse::never;
    if (wanted && capabilities_.starttls) {
        state_ = State::starttls;
        std::string bytes;
        smtp::write_plain(smtp::Verb::starttls, bytes);
        return command(std::move(bytes));
    }
    if (!under_tls_ && options_.tls == TlsUse::required) {
        return refuse(
            {Verdict::transient, {4, 7, 4}, "the server does not offer STARTTLS, which is required here"});
    }
    if (options_.login) return log_in();
    state_ = State::idle;
    return Idle{};
}

ClientAction ClientCore::on_tls() {
    under_tls_ = true;
    return say_hello();
}

ClientAction ClientCore::log_in() {
    login_ = options_.login(capabilities_.auth);
    if (!login_)
        return refuse({Verdict::transient, {4, 7, 0}, "the server offers no way to log in that we know"});
    state_ = State::auth;
    std::optional<std::string> initial = login_->initial_response();
    if (initial) initial = base64_encode(*initial);
    std::string bytes;
    smtp::write_auth(login_->mechanism(), initial, bytes);
    return command(std::move(bytes));
}

ClientAction ClientCore::on_auth(const smtp::Reply& reply) {
    if (reply.code == 334) {
        const auto challenge = base64_decode(reply.lines.back());
        auto answer = challenge ? login_->respond(*challenge)
                                : Parsed<std::string>(ParseError{"malformed challenge", 0});
        if (!answer)
            return refuse(
                {Verdict::transient, {4, 7, 0}, "login failed: " + std::string(answer.error().what)});
        return command(base64_encode(*answer) + "\r\n");
    }
    if (!reply.positive()) {
        // Our configuration is at fault, not the message: it waits until the password is mended.
        RecipientVerdict verdict = verdict_of(reply);
        verdict.verdict = Verdict::transient;
        verdict.text = "login refused: " + verdict.text;
        return refuse(std::move(verdict));
    }
    if (!login_->server_verified())
        return refuse({Verdict::transient, {4, 7, 0}, "the server did not prove that it knows the password"});
    options_.login = nullptr;
    state_ = State::idle;
    return Idle{};
}

std::optional<RecipientVerdict> ClientCore::unsendable() const {
    if (capabilities_.size_limit && *capabilities_.size_limit != 0 &&
        message_.size > *capabilities_.size_limit) {
        return RecipientVerdict{Verdict::permanent,
                                {5, 3, 4},
                                "the message has " + std::to_string(message_.size) +
                                    " octets, the server takes at most " +
                                    std::to_string(*capabilities_.size_limit)};
    }
    // RFC 6531, 3.2
    if (message_.needs_smtputf8 && !capabilities_.smtputf8) {
        return RecipientVerdict{
            Verdict::permanent, {5, 6, 7}, "the server does not take internationalized mail (SMTPUTF8)"};
    }
    return std::nullopt;
}

std::string ClientCore::mail_command() const {
    smtp::Mail mail;
    mail.from = message_.from;
    if (capabilities_.size) mail.size = message_.size;
    if (capabilities_.eight_bit_mime && message_.eight_bit) mail.body = smtp::BodyType::eight_bit_mime;
    mail.smtputf8 = message_.needs_smtputf8;
    if (capabilities_.dsn) {
        mail.ret = message_.ret;
        mail.envid = message_.envid;
    }
    std::string bytes;
    smtp::write_mail(mail, bytes);
    return bytes;
}

std::string ClientCore::rcpt_command(std::size_t index) const {
    const Outgoing::To& to = message_.to[index];
    smtp::Rcpt rcpt;
    rcpt.to = to.address;
    if (capabilities_.dsn) {
        rcpt.notify = to.notify;
        rcpt.orcpt = to.orcpt;
    }
    std::string bytes;
    smtp::write_rcpt(rcpt, bytes);
    return bytes;
}

ClientAction ClientCore::start(Outgoing message) {
    message_ = std::move(message);
    verdicts_.assign(message_.to.size(), RecipientVerdict{});
    settled_.assign(message_.to.size(), false);
    next_recipient_ = 0;
    accepted_ = 0;
    mail_refused_ = false;
    if (const auto why = unsendable()) {
        settle_open(*why);
        return Idle{};
    }
    state_ = State::mail;
    std::string bytes = mail_command();
    if (capabilities_.pipelining) {
        // RFC 2920, 3.1. DATA goes alone: some large servers close the connection after refusing a pipelined
        // group.
        for (std::size_t i = 0; i < message_.to.size(); ++i) bytes += rcpt_command(i);
    }
    return command(std::move(bytes));
}

ClientAction ClientCore::on_mail(const smtp::Reply& reply) {
    if (!reply.positive()) {
        settle_open(verdict_of(reply));
        if (!capabilities_.pipelining) return reset();
        mail_refused_ = true;
    }
    state_ = State::rcpt;
    return command(capabilities_.pipelining ? std::string{} : rcpt_command(0));
}

ClientAction ClientCore::on_rcpt(const smtp::Reply& reply) {
    const std::size_t index = next_recipient_++;
    if (!mail_refused_) {
        if (reply.positive()) {
            ++accepted_;
        } else {
            verdicts_[index] = verdict_of(reply);
            // RFC 5321, 4.5.3.1.10: too many recipients in one transaction; the others get their own.
            if (reply.code == 552) verdicts_[index].verdict = Verdict::transient;
            settled_[index] = true;
        }
    }
    if (next_recipient_ < message_.to.size()) {
        return command(capabilities_.pipelining ? std::string{} : rcpt_command(next_recipient_));
    }
    return after_recipients();
}

ClientAction ClientCore::after_recipients() {
    if (accepted_ == 0) return reset();
    state_ = State::data;
    std::string bytes;
    smtp::write_plain(smtp::Verb::data, bytes);
    return command(std::move(bytes), kDataInitiation);
}

ClientAction ClientCore::on_data(const smtp::Reply& reply) {
    if (reply.intermediate()) {
        state_ = State::message;
        return SendMessage{kDataTermination};
    }
    settle_open(verdict_of(reply));
    return reset();
}

ClientAction ClientCore::on_message(const smtp::Reply& reply) {
    settle_open(verdict_of(reply));
    state_ = State::idle;
    return Idle{};
}

ClientAction ClientCore::reset() {
    state_ = State::reset;
    std::string bytes;
    smtp::write_plain(smtp::Verb::rset, bytes);
    return command(std::move(bytes));
}

ClientAction ClientCore::quit() {
    state_ = State::quitting;
    std::string bytes;
    smtp::write_plain(smtp::Verb::quit, bytes);
    return command(std::move(bytes), kQuit);
}

ClientAction ClientCore::on_failure(std::string why) {
    if (state_ == State::handshake) tls_failed_ = true;
    if (state_ == State::quitting || state_ == State::reset || state_ == State::idle) return give_up();
    return refuse({Verdict::transient, {4, 4, 2}, std::move(why)});
}

// Ends the connection: open recipients take the verdict; without a transaction it is what the next ones would
// hear.
ClientAction ClientCore::refuse(RecipientVerdict verdict) {
    settle_open(verdict);
    refusal_ = std::move(verdict);
    return give_up();
}

ClientAction ClientCore::give_up() {
    state_ = State::closed;
    return Close{};
}

void ClientCore::settle_open(const RecipientVerdict& verdict) {
    for (std::size_t i = 0; i < verdicts_.size(); ++i) {
        if (!settled_[i]) verdicts_[i] = verdict;
        settled_[i] = true;
    }
}

}  // namespace mailstead::deliver
