#include "imapd/session/session.h"

#include <algorithm>
#include <unistd.h>

#include "common/base/text.h"
#include "common/runtime/log.h"
#include "imapd/commands/live_search.h"
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

Reply rejection(Framer::Rejection why) {
    switch (why) {
        case Framer::Rejection::line_too_long:
            return {Condition::bad, "", "Line too long"};
        case Framer::Rejection::literal_too_big:
            return {Condition::no, "LIMIT", "Literal too long"};
        default:
            return {Condition::bad, "", "Command too long"};
    }
}

bool write_fully(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

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
        case Fault::damaged:
            return no("The mailbox index is damaged", "CORRUPTION");
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

Session::Session(Connection& client, Backend& services, std::string session_id, std::string tag_of_login,
                 AccountId id, std::string user, Capabilities offered)
    : connection(client),
      backend(services),
      account(id),
      login(std::move(user)),
      capabilities(offered),
      session_id_(std::move(session_id)),
      tag_of_login_(std::move(tag_of_login)) {}

Session::~Session() {
    unselect();
    if (joined_) backend.leave(account, *this);
}

net::Task<void> Session::run() {
    bool going = co_await begin();
    while (going && !logging_out) {
        const auto event = co_await connection.next(kIdleTimeout);
        if (!event) {
            if (event.error().kind == net::IoFailure::timed_out) bye("Idle for too long");
            if (event.error().kind == net::IoFailure::cancelled) bye("Server is stopping");
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
    (void)co_await connection.flush();
    log::info("imap.logout", {{"session", session_id_}, {"login", login}});
}

// The tagged answer to LOGIN or AUTHENTICATE is given here, since only now is it known what the account may
// use.
net::Task<bool> Session::begin() {
    auto opened = co_await backend.open(account);
    if (!opened) {
        log::warning("imap.account.unavailable",
                     {{"session", session_id_}, {"login", login}, {"reason", opened.error().what}});
        answer(tag_of_login_, reply_to(opened.error()));
        co_return bye("The account cannot be opened now");
    }
    reader_ = *std::move(opened);
    joined_ = backend.join(account, *this);
    if (!joined_) {
        answer(tag_of_login_, no("Too many connections for this account", "LIMIT"));
        co_return bye("Too many connections for this account");
    }
    const auto hidden = backend.hidden_capabilities(account);
    capabilities.hide(hidden);
    connection.framer().set_limits(proto::kLimitsAfterLogin);
    std::string code;
    capabilities.write_after_login(code, backend.append_limit());
    answer(tag_of_login_, ok("Logged in", std::move(code)));
    const std::string peer = connection.stream().peer().to_string();
    log::info(
        "imap.login",
        {{"session", session_id_}, {"login", login}, {"peer", peer}, {"tls", connection.stream().is_tls()}});
    co_return true;
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
        answer(command.tag, no("The mailbox is open for reading only", "READ-ONLY"));
        co_return true;
    }
    own_change = OwnChange();
    const Reply reply = co_await row.execute(*this, command);
    intake = Intake();
    if (selected && !logging_out) {
        UpdateOptions options;
        options.expunges = allows_expunges(command);
        options.own = &own_change;
        const bool alive = co_await tell_updates(options);
        if (!alive) co_return false;
    }
    answer(command.tag, reply);
    co_return co_await flush_if_full();
}

// ---- literals

net::Task<bool> Session::on_literal() {
    Framer& framer = connection.framer();
    const auto append =
        proto::append_literal_follows(framer.prefix(), {enabled.strings() == proto::Utf8::yes});
    if (!append) {
        connection.take_literal();
        co_return true;
    }
    if (append->second.messages.size() == 1) intake = Intake();
    intake.tag = append->first;
    intake.accepting = false;
    if (!intake.refusal) {
        proto::Append so_far = append->second;
        auto refused = co_await refuse_message(std::move(so_far));
        intake.refusal = std::move(refused);
    }
    if (!intake.refusal) {
        auto file = backend.new_message_file();
        if (file) {
            intake.files.push_back({*std::move(file), 0});
        } else {
            intake.refusal = no("No room for the message now", "UNAVAILABLE");
        }
    }
    // A client that waits for "+" is spared sending what will not be taken (RFC 9051, 6.3.12).
    if (intake.refusal) {
        framer.refuse(Framer::Rejection::literal_too_big);
        co_return true;
    }
    intake.accepting = true;
    if (framer.literal().synchronizing) proto::write_continuation(out(), "Go on");
    framer.stream();
    co_return true;
}

net::Task<std::optional<Reply>> Session::refuse_message(proto::Append append) {
    const std::uint64_t size = append.messages.back().literal.size;
    if (size == 0) co_return no("An empty message", "CANNOT");
    if (size > backend.append_limit()) co_return no("The message is too large", "TOOBIG");  // RFC 7889, 4
    if (append.messages.size() > 1 && !capabilities.has(Capability::multi_append))
        co_return bad("One message at a time");
    const auto place = co_await locate(append.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal_to_insert(*place)) co_return refused;
    const auto now = place->reader.snapshot();
    if (!now) co_return reply_to(now.error());
    const auto info = now->account();
    if (info && info->quota_octets != 0 && info->octets + size > info->quota_octets)
        co_return no("Quota exceeded", "OVERQUOTA");
    co_return std::nullopt;
}

void Session::on_chunk() {
    if (!intake.accepting || intake.refusal) return;
    const std::string_view chunk = connection.framer().chunk();
    Intake::File& file = intake.files.back();
    if (chunk.find('\0') != std::string_view::npos) {
        intake.refusal = no("The message holds NUL bytes", "UNKNOWN-CTE");  // RFC 3516, 4.4
    } else if (!write_fully(file.descriptor.get(), chunk)) {
        intake.refusal = no("No room for the message now", "UNAVAILABLE");
    }
    file.size += chunk.size();
}

net::Task<bool> Session::on_rejected() {
    const std::string tag(connection.framer().rejected_tag());
    const Reply reply = intake.refusal ? *intake.refusal : rejection(connection.framer().rejection());
    intake = Intake();
    if (reply.condition == Condition::bad) co_return count_bad(tag, reply);
    answer(tag, reply);
    co_return true;
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
    co_return co_await backend.apply(owner, std::move(change), std::move(files));
}

net::Task<bool> Session::flush_if_full() {
    if (out().size() < kFlushAt) co_return true;
    const auto sent = co_await connection.flush();
    co_return sent.has_value();
}

net::Task<bool> Session::tell_updates(UpdateOptions options) {
    if (!selected) co_return true;
    if (!renew_rights()) co_return bye("The selected mailbox is no longer shared with you");
    Updater updater(*selected, enabled, keywords, options);
    for (;;) {
        Outcome<UpdateState> state = UpdateState::done;
        {
            const auto current = selected->snapshot();
            if (!current) co_return true;  // the command's own answer says what is wrong
            state = updater.step(*current, out());
        }
        if (!state) {
            log::warning("imap.update.failed", {{"session", session_id_}, {"reason", state.error().what}});
            co_return true;
        }
        if (*state == UpdateState::gone) co_return bye("The selected mailbox is no more");
        if (*state == UpdateState::done) co_return co_await commands::update_live_searches(*this);
        const auto sent = co_await connection.flush();
        if (!sent) co_return false;
    }
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

// ---- IDLE

void Session::on_change() {
    if (waiting_) connection.stream().interrupt();
}

net::Task<Reply> Session::idle() {
    proto::write_continuation(out(), "Idling");
    connection.framer().set_plain_lines(true);
    const UpdateOptions everything;
    const auto give_up = std::chrono::steady_clock::now() + kIdleTimeout;
    Reply reply = ok("Idle no more");
    for (;;) {
        const bool alive = co_await tell_updates(everything);
        if (!alive) {
            logging_out = true;
            break;
        }
        const auto left =
            std::chrono::duration_cast<net::Timeout>(give_up - std::chrono::steady_clock::now());
        waiting_ = true;
        const auto news = co_await connection.wait_for_news(std::max(left, net::Timeout(1)));
        waiting_ = false;
        if (news && !*news) continue;
        if (!news) {
            bye(news.error().kind == net::IoFailure::timed_out ? "Idle for too long" : "Server is stopping");
            logging_out = true;
            break;
        }
        const auto event = co_await connection.next(kIdleTimeout);
        if (!event) {
            logging_out = true;
            break;
        }
        if (*event != Framer::Event::command || !text::iequals(connection.framer().command(), "DONE"))
            reply = bad("DONE expected");
        break;
    }
    connection.framer().set_plain_lines(false);
    co_return reply;
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

bool Session::bye(std::string_view text) {
    proto::write_condition(out(), "*", Condition::bye, "", text);
    return false;
}

}  // namespace mailstead::imapd
