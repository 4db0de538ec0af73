// FETCH (RFC 9051, 6.4.5; RFC 7162, 3.1.4 and 3.2.6; RFC 3516).
#include "imapd/commands/commands.h"
#include "imapd/commands/fetch_answer.h"
#include "imapd/commands/read_ahead.h"
#include "imapd/commands/search_answer.h"

namespace mailstead::imapd::commands {
namespace {

enum class Chunk : std::uint8_t { last, more, must_wait, failed };

// One chunk of answers, under one snapshot. `left` is what remains.
Chunk write_chunk(Session& session, const proto::Fetch& request, FetchWriter& writer, store::UidSet& left,
                  Uid in_memory, FetchOutcome& outcome) {
    const auto now = session.selected->snapshot();
    if (!now) {
        outcome.failure = now.error();
        return Chunk::failed;
    }
    writer.begin_chunk(*now, in_memory);
    Uid last;
    bool must_wait = false;
    const auto visit = [&](const store::MessageInfo& message) {
        must_wait = !writer.write(message);
        if (must_wait) {
            last = Uid(message.uid.value - 1);
            return false;
        }
        last = message.uid;
        ++outcome.answered;
        return !writer.is_full();
    };
    const MailboxId mailbox = session.selected->info.id;
    const auto done = request.changed_since
                          ? now->changed_since(mailbox, ModSeq(*request.changed_since), left, visit)
                          : now->messages(mailbox, left, visit);
    if (!done) {
        outcome.failure = done.error();
        return Chunk::failed;
    }
    if (must_wait) {
        if (last.value != 0) left.remove(store::UidRange{1, last.value});
        return Chunk::must_wait;
    }
    if (!writer.is_full()) return Chunk::last;
    left.remove(store::UidRange{1, last.value});
    return left.empty() ? Chunk::last : Chunk::more;
}

bool sets_seen(const proto::Fetch& request) {
    for (const proto::FetchItem& item : request.items) {
        if (item.sets_seen()) return true;
    }
    return false;
}

// RFC 4314, 4: without "s" a body is fetched all the same.
bool may_mark_seen(const Selected& view) {
    return view.changeable_flags().system.has(store::SystemFlag::seen);
}

// RFC 9051, 6.4.5: fetching a body marks the message. When the writer is away the body can be read all the
// same.
net::Task<store::UidSet> mark_seen(Session& session, const store::UidSet& uids) {
    store::StoreFlags change;
    change.mailbox = session.selected->info.id;
    {
        const auto now = session.selected->snapshot();
        if (!now) co_return store::UidSet();
        const auto unseen = now->unseen(change.mailbox);
        if (!unseen) co_return store::UidSet();
        change.uids = unseen->intersected(uids);
    }
    if (change.uids.empty()) co_return store::UidSet();
    change.flags.system = store::SystemFlag::seen;
    store::Action action = std::move(change);
    const auto done = co_await session.apply(session.selected->account, std::move(action));
    if (!done) co_return store::UidSet();
    const auto* stored = std::get_if<store::FlagsStored>(&*done);
    if (stored == nullptr) co_return store::UidSet();
    session.own_change = OwnChange{stored->changed, stored->modseq};
    co_return stored->changed;
}

// RFC 7162, 3.2.6: which of the UIDs that the client named are no more.
void tell_vanished(Session& session, const proto::Fetch& request) {
    const auto now = session.selected->snapshot();
    if (!now) return;
    const Selected& view = *session.selected;
    store::UidSet named;
    if (request.messages.is_saved_result()) {
        if (view.saved_result) named = *view.saved_result;
    } else {
        for (const proto::NumberRange r : request.messages.resolve(view.messages.last().value)) {
            named.add(store::UidRange{r.first, r.last});
        }
    }
    store::UidSet below;
    if (view.next.value > 1) below.add(store::UidRange{1, view.next.value - 1});
    const auto gone =
        now->vanished_since(view.info.id, ModSeq(*request.changed_since), named.intersected(below));
    if (!gone || gone->empty()) return;
    session.out() += "* VANISHED (EARLIER) ";
    write_uids(session.out(), *gone);
    session.out() += "\r\n";
}

// RFC 9394, 3.3: the n-th messages of those named.
store::UidSet part_of(const store::UidSet& uids, const proto::PartialRange& range) {
    const auto places = range.among(uids.count());
    return places ? ResultList(uids).part(*places).to_set() : store::UidSet();
}

void report_lost(Session& session, const store::UidSet& lost) {
    const Selected& view = *session.selected;
    for (const store::UidRange range : lost.ranges()) {
        for (std::uint32_t uid = range.first; uid - range.first < range.count(); ++uid)
            session.backend.report_lost_body(view.account, view.info.name, Uid(uid));
    }
}

// All that is known of the messages was told.
std::string describe_lost(const store::UidSet& lost) {
    if (lost.empty()) return "A message could not be read to its end";
    std::string uids;
    write_uids(uids, lost);
    constexpr std::size_t kShown = 200;
    if (uids.size() > kShown) uids = "from " + std::to_string(lost.first().value) + " on";
    return "On the server the text is lost of UID " + uids;
}

}  // namespace

net::Task<FetchOutcome> answer_fetch(Session& session, const proto::Fetch& request, store::UidSet uids,
                                     store::UidSet newly_seen) {
    FetchOutcome outcome;
    FetchWriter writer(session, request, newly_seen);
    ReadAhead ahead(session, writer.reads_of_each());
    Sending sending(session);
    Chunk chunk = uids.empty() ? Chunk::last : Chunk::more;
    while (chunk == Chunk::more || chunk == Chunk::must_wait) {
        chunk = write_chunk(session, request, writer, uids, ahead.until(), outcome);
        if (chunk == Chunk::more) ahead.go_on(uids);
        if (chunk == Chunk::last && writer.contents.empty() && writer.text.size() < kFlushAt) {
            session.out() += writer.text;  // goes out with the tagged answer
            break;
        }
        outcome.alive = co_await send_answer(session, writer.text, writer.contents, sending);
        if (!outcome.alive) break;
        if (sending.buffer.had_to_wait()) ahead.begin();
        if (chunk == Chunk::must_wait) co_await ahead.wait_for(uids);
    }
    outcome.unknown_encoding = sending.unknown_encoding;
    outcome.cut_short = sending.buffer.was_short();
    outcome.lost = std::move(writer.lost);
    co_return outcome;
}

net::Task<Reply> fetch(Session& session, Command& command) {
    const auto& request = std::get<proto::Fetch>(command.arguments);
    if (request.vanished && !session.enabled.qresync)
        co_return bad("ENABLE QRESYNC first");  // RFC 7162, 3.2.6
    auto uids = session.resolve(request.messages, request.uid);
    if (!uids) co_return bad(std::string(uids.error().what));
    if (request.partial) {
        // RFC 9738, 3.1: what PARTIAL asks for counts, and too much of it is no partial answer.
        if (auto refused = session.refusal_of_many(request.partial->size(), session.limits().messages))
            co_return *std::move(refused);
        *uids = part_of(*uids, *request.partial);
    }
    const std::string limited = session.limit(*uids);
    bool knows_mod_seq = request.changed_since.has_value();
    for (const proto::FetchItem& item : request.items)
        knows_mod_seq = knows_mod_seq || item.kind == proto::FetchKind::mod_seq;
    if (knows_mod_seq) session.enable_condstore();
    if (request.vanished) tell_vanished(session, request);

    store::UidSet newly_seen;
    if (may_mark_seen(*session.selected) && sets_seen(request))
        newly_seen = co_await mark_seen(session, *uids);
    if (const auto now = session.selected->snapshot()) {
        (void)tell_new_keywords(*now, *session.selected, session.keywords, session.out());
    }
    const std::uint64_t asked = uids->count();
    store::UidSet shown = *uids;
    const auto outcome = co_await answer_fetch(session, request, std::move(shown), std::move(newly_seen));
    if (!outcome.alive) co_return no("Connection lost");
    if (outcome.failure) co_return reply_to(*outcome.failure);
    if (!outcome.lost.empty() || outcome.cut_short) {
        report_lost(session, outcome.lost);
        co_return no(describe_lost(outcome.lost), "CORRUPTION");  // RFC 5530, 3
    }
    if (outcome.unknown_encoding) co_return no("A part is in an unknown encoding", "UNKNOWN-CTE");
    // RFC 5530, 3: somebody else expunged some; the client hears of it as soon as numbers may shift.
    if (!request.uid && !request.changed_since && outcome.answered < asked) {
        session.tell_limit(limited);
        co_return ok("That is all", "EXPUNGEISSUED");
    }
    co_return ok("That is all", limited);
}

}  // namespace mailstead::imapd::commands
