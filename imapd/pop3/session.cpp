#include "imapd/pop3/session.h"

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"
#include "common/runtime/offload.h"
#include "imapd/commands/mapped_file.h"
#include "imapd/session/file_bytes.h"

namespace mailstead::imapd::pop3 {
namespace {

using proto::Framer;
using Why = LoginRefusal::Why;

constexpr std::size_t kMaxVerb = 8;

metrics::Counter logins("pop3_logins");
metrics::Counter retrieved("pop3_messages_retrieved");
metrics::Counter removed_messages("pop3_messages_removed");

Profile profile_of(const ListenerFacts& listener) {
    return {.hostname = listener.hostname, .hidden = listener.hidden_capabilities, .limits = {}};
}

AuthRefused::Why why_of(Why why) {
    switch (why) {
        case Why::malformed:
            return AuthRefused::Why::malformed;
        case Why::not_authorized:
            return AuthRefused::Why::not_authorized;
        case Why::unavailable:
            return AuthRefused::Why::unavailable;
        case Why::wrong_credentials:
            break;
    }
    return AuthRefused::Why::wrong_credentials;
}

}  // namespace

Session::Session(Connection& connection, LoginService& service, Backend& backend,
                 const ListenerFacts& listener, std::string session_id)
    : connection_(connection),
      backend_(backend),
      listener_(listener),
      session_id_(std::move(session_id)),
      login_(service, connection.stream(), listener, ipc::Service::pop3, session_id_),
      profile_(profile_of(listener)),
      core_(profile_, connection.out()),
      last_call_(connection.stream()) {}

Session::~Session() {
    if (!joined_) return;
    backend_.delist(session_id_);
    backend_.leave(*joined_, *this);
}

net::Task<void> Session::run() {
    Action action = core_.start(login_facts());
    while (!std::holds_alternative<Close>(action) && !broken_) {
        Action next = co_await perform(std::move(action));
        action = std::move(next);
        if (connection_.out().size() < kFlushAt) continue;
        const auto sent = co_await connection_.flush();
        broken_ = broken_ || !sent;
    }
    login_.cancel();
    if (!broken_) (void)co_await connection_.flush();
    if (maildrop_) {
        log::info("pop3.logout",
                  {{"session", session_id_}, {"login", user_}, {"retrieved", sent_}, {"removed", removed_}});
    }
}

net::Task<Action> Session::perform(Action action) {
    if (auto* line = std::get_if<ReadLine>(&action)) co_return co_await read_line(*line);
    if (std::holds_alternative<StartTls>(action)) co_return co_await start_tls();
    if (auto* step = std::get_if<AuthStep>(&action)) co_return co_await authenticate(std::move(*step));
    if (auto* open = std::get_if<OpenMaildrop>(&action)) co_return co_await open_maildrop(std::move(*open));
    if (!maildrop_) co_return Close{};  // whatever the core thinks: nobody has logged in
    if (auto* look = std::get_if<LookUp>(&action)) co_return look_up(*look);
    if (auto* list = std::get_if<WriteListing>(&action)) co_return co_await write_listing(*list);
    if (auto* open = std::get_if<OpenMessage>(&action)) co_return co_await open_message(*open);
    if (auto* send = std::get_if<SendMessage>(&action)) co_return co_await send_message(*send);
    if (auto* done = std::get_if<Update>(&action)) co_return co_await update(std::move(*done));
    co_return Close{};
}

net::Task<Action> Session::read_line(ReadLine action) {
    if (ended_) co_return take_leave();
    connection_.framer().set_plain_lines(true);  // STLS has forgotten it
    connection_.framer().set_limits({action.limit, action.limit, 0});
    const auto event = co_await connection_.next(action.timeout);
    if (!event && ended_) co_return take_leave();
    if (!event) {
        // RFC 1939, 3: the autologout timer ends the session without a response, and without an update.
        broken_ = true;
        co_return Close{};
    }
    // A timer of inactivity must be long (RFC 1939, 3); how long a stranger may stay is another matter.
    const bool stranger = !core_.is_logged_in();
    if (stranger && std::chrono::steady_clock::now() - begun_ > kLoginWindow) {
        broken_ = true;
        co_return Close{};
    }
    if (*event == Framer::Event::command) {
        const std::string_view line = connection_.framer().command();
        if (joined_) note_command(line);
        co_return core_.on_line(line);
    }
    co_return core_.on_long_line();
}

// RFC 3206, 4: what is wrong is the login, and not the server. Nothing is removed without QUIT.
Action Session::take_leave() {
    const bool kicked = ended_ == ipc::EndReason::administrator;
    connection_.out() += kicked ? "-ERR [SYS/TEMP] " : "-ERR [AUTH] ";
    connection_.out() += ipc::to_sentence(*ended_);
    connection_.out() += "\r\n";
    return Close{};
}

void Session::note_command(std::string_view line) {
    last_time_ = now();
    last_command_ = text::upper(line.substr(0, std::min(line.find(' '), kMaxVerb)));
}

ipc::SessionFacts Session::facts() const {
    ipc::SessionFacts facts;
    facts.service = ipc::Service::pop3;
    facts.login = user_;
    facts.peer = connection_.stream().peer();
    if (connection_.stream().is_tls()) facts.tls = connection_.stream().tls_facts().version;
    facts.since = since_;
    facts.last_time = last_time_;
    facts.last_command = last_command_;
    facts.mailbox = "INBOX";
    return facts;
}

void Session::end(ipc::EndReason reason) {
    ended_ = reason;
    log::info("pop3.ended", {{"session", session_id_}, {"login", user_}, {"why", ipc::to_sentence(reason)}});
    last_call_.begin();
}

net::Task<Action> Session::start_tls() {
    const auto sent = co_await connection_.flush();
    if (sent) {
        const auto done = co_await connection_.start_tls(listener_.tls);
        if (done) co_return core_.on_tls(login_facts());
        log::info("pop3.tls.failed", {{"session", session_id_}, {"reason", net::describe(done.error())}});
        connection_.stream().close();
    }
    broken_ = true;
    co_return Close{};
}

LoginFacts Session::login_facts() const {
    LoginFacts facts;
    for (const std::string_view mechanism : login_.mechanisms()) {
        if (!facts.mechanisms.empty()) facts.mechanisms += ' ';
        facts.mechanisms += mechanism;
    }
    facts.passwords_allowed = login_.passwords_allowed();
    facts.starttls_possible = login_.starttls_possible();
    return facts;
}

net::Task<Action> Session::authenticate(AuthStep step) {
    LoginAnswer answer = LoginRefusal{};
    switch (step.kind) {
        case AuthStep::Kind::begin: {
            LoginAnswer got = co_await login_.begin(std::move(step.mechanism), std::move(step.message));
            answer = std::move(got);
            break;
        }
        case AuthStep::Kind::password: {
            LoginAnswer got = co_await login_.with_password(step.user, *step.message);
            answer = std::move(got);
            break;
        }
        case AuthStep::Kind::respond: {
            LoginAnswer got = co_await login_.respond(*std::move(step.message));
            answer = std::move(got);
            break;
        }
        case AuthStep::Kind::cancel:
            login_.cancel();
            co_return core_.resume();
    }
    if (auto* challenge = std::get_if<LoginChallenge>(&answer))
        co_return core_.on_auth(AuthChallenge{std::move(challenge->bytes)});
    if (auto* success = std::get_if<LoginSuccess>(&answer)) {
        proved_ = success->account;
        proof_ = std::move(success->proof);
        co_return core_.on_auth(
            AuthAccepted{success->account, std::move(success->login), std::move(success->final_bytes)});
    }
    co_return core_.on_auth(AuthRefused{why_of(std::get<LoginRefusal>(answer).why)});
}

Trouble Session::trouble_of(const store::Failure& failure) const {
    log::warning("pop3.store.failed", {{"session", session_id_}, {"login", user_}, {"reason", failure.what}});
    if (failure.fault == store::Fault::set_aside) return Trouble::in_repair;
    const bool for_good =
        failure.fault == store::Fault::damaged || failure.fault == store::Fault::newer_format;
    return for_good ? Trouble::permanent : Trouble::temporary;
}

net::Task<Action> Session::open_maildrop(OpenMaildrop action) {
    if (proved_ != action.account) co_return Close{};
    user_ = std::move(action.login);
    auto account = co_await backend_.open(action.account);
    if (!account) co_return core_.on_maildrop(trouble_of(account.error()));
    auto maildrop = Maildrop::open(*std::move(account));
    if (!maildrop) co_return core_.on_maildrop(trouble_of(maildrop.error()));
    if (!backend_.join(action.account, *this)) co_return core_.on_maildrop(Trouble::in_use);
    joined_ = action.account;
    since_ = last_time_ = now();
    last_command_ = "PASS";
    backend_.enlist(*this, session_id_, action.account, proof_);
    maildrop_ = *std::move(maildrop);
    logins.add();
    const std::string peer = connection_.stream().peer().to_string();
    log::info(
        "pop3.login",
        {{"session", session_id_}, {"login", user_}, {"peer", peer}, {"tls", connection_.stream().is_tls()}});
    co_return core_.on_maildrop(
        MaildropFacts{maildrop_->count(), maildrop_->octets(), backend_.hidden_capabilities(action.account)});
}

Action Session::look_up(LookUp action) {
    const auto found = maildrop_->find(action.number);
    if (!found) return core_.on_message(trouble_of(found.error()));
    if (!*found) return core_.on_message(MessageGone{});
    return core_.on_message(MessageFacts{(*found)->size, maildrop_->unique_id((*found)->uid)});
}

net::Task<Action> Session::write_listing(WriteListing action) {
    std::string& out = connection_.out();
    const auto is_listed = [this](std::uint32_t number) { return core_.is_listed(number); };
    std::uint32_t number = 1;
    while (number != 0 && maildrop_->count() != 0) {
        const auto next = maildrop_->write_listing(action.what, number, is_listed, out, kFlushAt);
        if (!next) {
            // The answer has begun: only cutting it off says that it is not whole.
            (void)trouble_of(next.error());
            broken_ = true;
            co_return Close{};
        }
        number = *next;
        if (number == 0) break;
        const auto sent = co_await connection_.flush();
        if (!sent) {
            broken_ = true;
            co_return Close{};
        }
    }
    co_return core_.resume();
}

net::Task<Action> Session::open_message(OpenMessage action) {
    auto opened = maildrop_->open_message(action.number);
    if (!opened && opened.error().fault == store::Fault::damaged) {
        if (const auto message = maildrop_->find(action.number); message && *message)
            backend_.report_lost_body(*joined_, MailboxName::inbox(), (*message)->uid);
        co_return core_.on_opened(Trouble::lost);
    }
    if (!opened) co_return core_.on_opened(trouble_of(opened.error()));
    if (!*opened) co_return core_.on_opened(MessageGone{});
    message_ = **std::move(opened);
    replacements_.clear();
    if (!core_.utf8() && !message_->is_ascii) {
        // RFC 6856, 2.1: what is not ASCII must not reach this client.
        const auto work = [file = &message_->file]() -> Result<std::vector<Replacement>> {
            const MappedFile mapped(file->descriptor.get(), file->size);
            if (!mapped.ok()) return transient_error("the message file cannot be mapped");
            return surrogate_headers(mapped.bytes());
        };
        auto found = co_await runtime::offload(backend_.pool(), work);
        if (!found) co_return core_.on_opened(Trouble::temporary);
        replacements_ = *std::move(found);
    }
    std::uint64_t octets = message_->file.size;
    for (const Replacement& each : replacements_) octets += each.text.size() - each.range.size();
    co_return core_.on_opened(MessageFacts{octets, {}});
}

net::Task<Action> Session::send_message(SendMessage action) {
    MultilineWriter writer(action.body_lines);
    std::uint64_t at = 0;
    bool going = true;
    for (const Replacement& each : replacements_) {
        const mime::ByteRange before{at, each.range.begin};
        going = going && co_await send_range(writer, before);
        going = going && co_await send_text(writer, each.text);
        at = each.range.end;
    }
    const mime::ByteRange rest{at, message_->file.size};
    if (going) co_await send_range(writer, rest);
    message_.reset();
    replacements_.clear();
    if (broken_) co_return Close{};
    writer.finish(connection_.out());
    if (!action.body_lines) {
        ++sent_;
        retrieved.add();
    }
    co_return core_.resume();
}

net::Task<bool> Session::send_range(MultilineWriter& writer, mime::ByteRange range) {
    // The header and a first few lines are enough for TOP.
    std::size_t wanted = 32 * 1024;
    while (range.begin < range.end) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, range.size()));
        wanted = kPiece;
        piece_.clear();
        const std::size_t got = co_await append_file_bytes(backend_.pool(), message_->file.descriptor.get(),
                                                           range.begin, size, piece_);
        if (got < size) {
            log::error("pop3.message.short", {{"session", session_id_}, {"missing", size - got}});
            broken_ = true;
            co_return false;
        }
        range.begin += size;
        const bool more = co_await send_text(writer, piece_);
        if (!more) co_return false;
    }
    if (piece_.capacity() > kFlushAt) std::string().swap(piece_);
    co_return true;
}

net::Task<bool> Session::send_text(MultilineWriter& writer, std::string_view text) {
    const bool more = writer.feed(text, connection_.out());
    if (connection_.out().size() < kFlushAt) co_return more;
    const auto sent = co_await connection_.flush();
    if (!sent) broken_ = true;
    co_return more&& sent.has_value();
}

// RFC 1939, 6: all of it in one change, durable before the client hears +OK.
net::Task<Action> Session::update(Update action) {
    store::Change change;
    change.at = now();
    change.action = maildrop_->removal(action.removed);
    const auto current = maildrop_->find(1);
    if (!current) {
        (void)trouble_of(current.error());
        co_return core_.on_updated(false);
    }
    std::vector<FileDescriptor> none;
    last_call_.hold(true);
    const auto done = co_await backend_.apply(*joined_, std::move(change), std::move(none));
    last_call_.hold(false);
    if (!done) {
        (void)trouble_of(done.error());
        co_return core_.on_updated(false);
    }
    if (const auto* expunged = std::get_if<store::Expunged>(&*done)) removed_ = expunged->uids.count();
    removed_messages.add(removed_);
    co_return core_.on_updated(true);
}

}  // namespace mailstead::imapd::pop3
