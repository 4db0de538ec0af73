#include "imapd/session/session.h"

#include "common/runtime/log.h"
#include "imapd/commands/commands.h"
#include "imapd/commands/table.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd {

using proto::Condition;
using proto::Framer;
using store::Fault;
using store::Outcome;
using store::UidRange;
using store::UidSet;

namespace {

constexpr unsigned kMaxBadCommands = 50;

}  // namespace

Reply ok(std::string text, std::string code) {
    return {Condition::ok, std::move(code), std::move(text)};
}
Reply no(std::string text, std::string code) {
    return {Condition::no, std::move(code), std::move(text)};
}
Reply bad(std::string text) {
    return {Condition::bad, {}, std::move(text)};
}

Reply reply_to(const store::Failure& failure) {
    switch (failure.fault) {
        case Fault::non_existent:
            return no("No such mailbox", "NONEXISTENT");
        case Fault::already_exists:
            return no("Mailbox exists already", "ALREADYEXISTS");
        case Fault::try_create:
            return no("No such mailbox", "TRYCREATE");
        case Fault::has_children:
            return no("There are mailboxes below it", "HASCHILDREN");
        case Fault::over_quota:
            return no("Quota exceeded", "OVERQUOTA");
        case Fault::limit:
            return no("A limit of the server is reached", "LIMIT");
        case Fault::cannot:
            return no("That is not possible", "CANNOT");
        case Fault::use_attribute:
            return no("Special use is taken or unknown", "USEATTR");
        case Fault::invalid:
            return no("The server did not understand itself", "SERVERBUG");
        case Fault::gone:
            return no("The message was expunged meanwhile", "EXPUNGEISSUED");
        case Fault::damaged:
            return no("The mailbox index is damaged", "CORRUPTION");
        case Fault::disk_full:
            return no("The server's disk is full, try again later", "UNAVAILABLE");
        case Fault::set_aside:
            return no(failure.what, "UNAVAILABLE");  // deliver words it for people
        case Fault::newer_format:
        case Fault::unavailable:
            break;
    }
    return no("Not possible now, try again later", "UNAVAILABLE");
}

std::optional<Reply> refusal(const Place& place, store::Right right) {
    if (place.may(right)) return std::nullopt;
    if (place.is_visible()) return no("You may not do that with this mailbox", "NOPERM");
    return no("No such mailbox", "NONEXISTENT");
}

std::optional<Reply> refusal_to_insert(const Place& place) {
    if (place.may(store::Right::insert)) return std::nullopt;
    if (place.is_visible()) return no("You may not put messages into this mailbox", "NOPERM");
    const bool could_create = place.own || place.rights_above.has(store::Right::create);
    return no("No such mailbox", could_create ? "TRYCREATE" : "NONEXISTENT");
}

Session::Session(Connection& client_connection, Backend& services, std::string session_id,
                 std::string tag_of_login, AccountId id, std::string user, Capabilities offered, Proof proof)
    : connection(client_connection),
      backend(services),
      account(id),
      login(std::move(user)),
      capabilities(offered),
      session_id_(std::move(session_id)),
      tag_of_login_(std::move(tag_of_login)),
      proof_(std::move(proof)),
      since_(now()),
      last_time_(since_),
      last_call_(client_connection.stream()),
      progress_(client_connection) {}

Session::~Session() {
    unselect();
    if (!joined_) return;
    backend.delist(session_id_);
    backend.leave(account, *this);
}

net::Task<bool> Session::run() {
    bool going = co_await begin();
    while (going && !logging_out && !unauthenticating) {
        if (ended_) {
            bye(ipc::to_sentence(*ended_));
            break;
        }
        going = co_await attend();
        if (!going) break;
        const auto event = co_await connection.next(connection.timeouts().idle);
        if (!event) {
            bye_for(event.error());
            break;
        }
        switch (*event) {
            case Framer::Event::command:
                going = co_await on_command();
                break;
            case Framer::Event::literal:
                going = co_await on_literal();
                break;
            case Framer::Event::chunk:
                on_chunk();
                break;
            case Framer::Event::rejected:
                going = co_await on_rejected();
                break;
            case Framer::Event::fatal:
                going = bye("Literal too long");
                break;
            case Framer::Event::need_input:
                break;
        }
    }
    unselect();
    co_await finish();
    co_return going&& unauthenticating;
}

net::Task<void> Session::finish() {
    (void)co_await connection.flush();
    log::info("imap.logout", {{"session", session_id_}, {"login", login}});
    if (!unauthenticating) co_return;
    connection.end_compression();
    connection.framer().set_limits(proto::kLimitsBeforeLogin);
}

// The tagged answer to LOGIN or AUTHENTICATE is given here, since only now is it known what the account may
// use.
net::Task<bool> Session::begin() {
    auto opened = co_await backend.open(account);
    if (!opened) {
        log::warning("imap.account.unavailable",
                     {{"session", session_id_}, {"login", login}, {"reason", opened.error().what}});
        answer(tag_of_login_, reply_to(opened.error()));
        co_return bye("The account cannot be opened now", "UNAVAILABLE");
    }
    reader_ = *std::move(opened);
    joined_ = backend.join(account, *this);
    if (!joined_) {
        answer(tag_of_login_, no("Too many connections for this account", "LIMIT"));
        co_return bye("Too many connections for this account", "LIMIT");
    }
    backend.enlist(*this, session_id_, account, proof_);
    const auto hidden = backend.hidden_capabilities(account);
    capabilities.hide(hidden);
    connection.framer().set_limits(proto::kLimitsAfterLogin);
    if (is_full())
        proto::write_condition(out(), "*", Condition::no, "ALERT",
                               "The mailbox is full, new mail is refused");
    std::string code;
    capabilities.write_after_login(code, backend.append_limit(), limits());
    answer(tag_of_login_, ok("Logged in", std::move(code)));
    const std::string peer = connection.stream().peer().to_string();
    log::info(
        "imap.login",
        {{"session", session_id_}, {"login", login}, {"peer", peer}, {"tls", connection.stream().is_tls()}});
    co_return true;
}

// RFC 9051, 7.1: ALERT is for what a person has to see, and to act on.
bool Session::is_full() const {
    const auto now = own_snapshot();
    if (!now) return false;
    const auto info = now->account();
    return info && info->quota_octets != 0 && info->octets >= info->quota_octets;
}

net::Task<bool> Session::on_command() {
    const std::string_view frame = connection.framer().command();
    if (frame.empty()) co_return true;  // some clients send an empty line after a literal
    auto parsed = proto::parse_command(frame, {enabled.strings() == proto::Utf8::yes});
    if (!parsed) {
        intake = Intake();
        const auto& error = parsed.error();
        if (error.is_no && error.saves_result && selected) selected->saved_result = UidSet();
        Reply reply{error.is_no ? Condition::no : Condition::bad, std::string(error.code),
                    std::string(error.error.what)};
        if (!error.is_no) co_return count_bad(error.tag, reply);
        answer(error.tag, reply);
        co_return true;
    }
    proto::Command command = *std::move(parsed);
    co_return co_await execute(std::move(command));
}

net::Task<bool> Session::execute(proto::Command command) {
    const CommandRow& row = row_of(command.verb);
    if (const auto reason = reason_to_refuse(*this, row, command)) {
        intake = Intake();
        co_return count_bad(command.tag, bad(std::string(*reason)));
    }
    if (selected && !renew_rights()) {
        intake = Intake();
        co_return bye("The selected mailbox is no longer shared with you");
    }
    if (row.legal == Legal::writable && selected->read_only) {
        intake = Intake();
        answer(command.tag, no("The mailbox is open for reading only", "READ-ONLY"));
        co_return true;
    }
    if (enabled.uid_only && uses_numbers(command)) {
        answer(command.tag, {Condition::bad, "UIDREQUIRED", "UIDs only, as the client asked for"});
        co_return ++bad_commands_ < kMaxBadCommands || bye("Too many bad commands");
    }
    last_verb_ = command.verb;
    last_time_ = now();
    own_change = OwnChange();
    progress_.begin(command.tag, backend.progress_interval(), capabilities.has(Capability::in_progress));
    const Reply reply = co_await row.execute(*this, command);
    intake = Intake();
    // The session was ended, and the client knows why.
    if (logging_out && command.verb != proto::Verb::logout) co_return false;
    if ((selected || enabled.metadata) && !logging_out) {
        UpdateOptions options;
        options.expunges = allows_expunges(command);
        options.own = &own_change;
        options.expunges_are_own = expunges(command);
        const bool alive = co_await tell_updates(options);
        if (!alive) co_return false;
    }
    answer(command.tag, reply);
    if (compression) {
        const auto sent = co_await connection.flush();
        if (!sent) co_return false;
        connection.start_compression(std::move(compression));
    }
    co_return co_await flush_if_full();
}

// ---- what commands use

net::Task<Outcome<store::ChangeResult>> Session::apply(AccountId owner, store::Action action) {
    return apply(owner, std::move(action), std::vector<FileDescriptor>());
}

net::Task<Outcome<store::ChangeResult>> Session::apply(AccountId owner, store::Action action,
                                                       std::vector<FileDescriptor> files) {
    store::Change change;
    change.at = now();
    change.action = std::move(action);
    std::optional<store::Action> own;
    if (watch) own = change.action;
    progress_.keep_alive();
    last_call_.hold(true);
    auto result = co_await backend.apply(owner, std::move(change), std::move(files));
    last_call_.hold(false);
    progress_.stop();
    if (result) note_own(owner, own, *result);
    co_return result;
}

net::Task<bool> Session::flush_if_full() {
    if (out().size() < kFlushAt) co_return true;
    const auto sent = co_await connection.flush();
    co_return sent.has_value();
}

Capabilities::Limits Session::limits() const {
    Capabilities::Limits limits;
    if (capabilities.has(Capability::message_limit)) limits.messages = backend.message_limit();
    // RFC 9738, 3: one of the two is announced; MESSAGELIMIT is about COPY and APPEND as well.
    limits.saved = limits.messages;
    if (limits.messages == 0 && capabilities.has(Capability::save_limit)) limits.saved = backend.save_limit();
    return limits;
}

std::string Session::limit(UidSet& uids) const {
    const std::uint32_t most = limits().messages;
    if (most == 0 || uids.count() <= most) return {};
    const store::UidRuns all(uids);
    uids = all.uids_of(all.count() - most + 1, all.count());
    return "MESSAGELIMIT " + std::to_string(most) + " " + std::to_string(uids.first().value);
}

void Session::tell_limit(const std::string& code) {
    if (!code.empty()) out() += "* NO [" + code + "] Only the newest messages\r\n";
}

std::optional<Reply> Session::refusal_of_many(std::uint64_t messages, std::uint32_t most) const {
    if (most == 0 || messages <= most) return std::nullopt;
    return no("Too many messages at once", "MESSAGELIMIT " + std::to_string(most));
}

net::Task<bool> Session::tell_progress(std::uint64_t done, std::uint64_t goal) {
    if (!progress_.is_due()) co_return true;
    progress_.write(out(), done, goal);
    const auto sent = co_await connection.flush();
    co_return sent.has_value();
}

Parsed<UidSet> Session::resolve(const proto::SequenceSet& set, bool uid) const {
    const store::UidRuns& messages = selected->messages;
    if (set.is_saved_result()) {
        return selected->saved_result ? selected->saved_result->intersected(messages.uids()) : UidSet();
    }
    UidSet named;
    if (uid) {
        // RFC 9051, 6.4.9: UIDs that do not exist are passed over.
        for (const proto::NumberRange r : set.resolve(messages.last().value))
            named.add(UidRange{r.first, r.last});
        return named.intersected(messages.uids());
    }
    if (set.largest_named() > messages.count() || (set.has_star() && messages.empty())) {
        return ParseError("No such message", 0);
    }
    for (const proto::NumberRange r : set.resolve(messages.count())) {
        const UidSet some = messages.uids_of(r.first, r.last);
        for (const UidRange range : some.ranges()) named.add(range);
    }
    return named;
}

void Session::enable_condstore() {
    if (enabled.condstore || !capabilities.has(Capability::condstore)) return;
    enabled.condstore = true;
    if (!selected) return;
    // RFC 7162, 3.1: the client needs a mark to count from.
    out() += "* OK [HIGHESTMODSEQ ";
    proto::write_number(out(), selected->told.value);
    out() += "] Noted\r\n";
}

void Session::select(Selected view) {
    unselect();
    selected = std::move(view);
    if (!selected->own) backend.watch(selected->account, *this);
}

void Session::unselect() {
    if (selected && !selected->own) backend.unwatch(selected->account, *this);
    selected.reset();
}

// ---- answers

void Session::answer(std::string_view tag, const Reply& reply) {
    if (reply.condition != Condition::bad) bad_commands_ = 0;
    proto::write_condition(out(), tag, reply.condition, reply.code, reply.text);
}

bool Session::count_bad(std::string_view tag, const Reply& reply) {
    answer(tag, reply);
    if (++bad_commands_ < kMaxBadCommands) return true;
    return bye("Too many bad commands");
}

bool Session::bye(std::string_view text, std::string_view code) {
    proto::write_condition(out(), "*", Condition::bye, code, text);
    return false;
}

// A client that is still there hears why it is left.
bool Session::bye_for(const net::IoError& error) {
    if (error.kind == net::IoFailure::timed_out) bye("Idle for too long");
    if (error.kind == net::IoFailure::cancelled && ended_) return bye(ipc::to_sentence(*ended_));
    if (error.kind == net::IoFailure::cancelled) bye("Server is stopping", "UNAVAILABLE");
    return false;
}

// ---- for the administrator

ipc::SessionFacts Session::facts() const {
    ipc::SessionFacts facts;
    facts.service = ipc::Service::imap;
    facts.login = login;
    facts.client = client;
    facts.peer = connection.stream().peer();
    if (connection.stream().is_tls()) facts.tls = connection.stream().tls_facts().version;
    facts.since = since_;
    facts.last_time = last_time_;
    facts.last_command = proto::to_string(last_verb_);
    if (selected) facts.mailbox = selected->info.name.utf8();
    return facts;
}

void Session::end(ipc::EndReason reason) {
    ended_ = reason;
    log::info("imap.ended", {{"session", session_id_}, {"login", login}, {"why", ipc::to_sentence(reason)}});
    last_call_.begin();
}

}  // namespace mailstead::imapd
