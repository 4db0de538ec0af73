// SELECT, EXAMINE (RFC 9051, 6.3.2 and 6.3.3; RFC 7162, 3.1.8 and 3.2.5), CLOSE, UNSELECT.
#include "imapd/commands/commands.h"
#include "imapd/commands/fetch_answer.h"
#include "imapd/commands/ids.h"

namespace mailstead::imapd::commands {
namespace {

// RFC 4314, 5.2: READ-ONLY when none of these is there; all flags are shared here.
constexpr store::Rights kWriting = store::Right::insert | store::Right::expunge | store::Right::seen |
                                   store::Right::write | store::Right::delete_message;

void write_number_code(std::string& out, std::string_view name, std::uint64_t number, std::string_view text) {
    out += "* OK [";
    out += name;
    out += ' ';
    proto::write_number(out, number);
    out += "] ";
    out += text;
    out += "\r\n";
}

store::Outcome<Selected> open_mailbox(const store::Snapshot& snapshot, const Place& place) {
    Selected selected;
    TRY(info, snapshot.mailbox(place.mailbox->id));
    TRY(runs, snapshot.runs(info.id));
    selected.next = info.uidnext;
    selected.told = selected.expunges_told = info.highestmodseq;
    selected.messages = std::move(runs);
    selected.account = place.account;
    selected.reader = place.reader;
    selected.own = place.own;
    selected.rights = place.rights;
    selected.info = std::move(info);
    return selected;
}

// RFC 9051, 6.3.2: the answers that a client may count on.
void describe(Session& session, const Selected& view, std::optional<Uid> first_unseen) {
    std::string& out = session.out();
    const bool rev2 = session.enabled.rev2;
    write_available_flags(out, session.keywords);
    write_permanent_flags(out, session.keywords, view.changeable_flags());
    out += "* ";
    proto::write_number(out, view.messages.count());
    out += " EXISTS\r\n";
    if (!rev2) {
        out += "* 0 RECENT\r\n";
        const std::uint32_t unseen = first_unseen ? view.messages.number_of(*first_unseen) : 0;
        // RFC 9586, 3.6: no sequence number, here neither.
        if (unseen != 0 && !session.enabled.uid_only)
            write_number_code(out, "UNSEEN", unseen, "The first unseen");
    }
    write_number_code(out, "UIDVALIDITY", view.info.uidvalidity.value, "UIDs valid");
    write_number_code(out, "UIDNEXT", view.info.uidnext.value, "The next UID");
    if (session.capabilities.has(Capability::condstore)) {
        write_number_code(out, "HIGHESTMODSEQ", view.info.highestmodseq.value, "The highest");
    }
    if (session.capabilities.has(Capability::objectid)) {  // RFC 8474, 4.2
        out += "* OK [MAILBOXID (";
        write_id(out, view.info.id, view.id_scope());
        out += ")] Its id\r\n";
    }
    if (!rev2) return;
    out += "* LIST () \"/\" ";
    proto::write_mailbox(out, view.name, session.enabled.strings());
    out += "\r\n";
}

// QRESYNC: what vanished and what changed since the client was here (RFC 7162, 3.2.5.1 and 3.2.5.2).
net::Task<bool> resynchronize(Session& session, const proto::QResync& wanted) {
    const Selected& view = *session.selected;
    if (wanted.uidvalidity != view.info.uidvalidity.value) co_return true;
    store::UidSet known;
    if (view.next.value > 1) known.add(store::UidRange{1, view.next.value - 1});
    if (wanted.known_uids) {
        store::UidSet named;
        for (const proto::NumberRange r : wanted.known_uids->resolve(0))
            named.add(store::UidRange{r.first, r.last});
        known = known.intersected(named);
    }
    {
        const auto now = view.snapshot();
        if (!now) co_return true;
        const auto gone = now->vanished_since(view.info.id, ModSeq(wanted.mod_seq), known);
        if (gone && !gone->empty()) {
            session.out() += "* VANISHED (EARLIER) ";
            write_uids(session.out(), *gone);
            session.out() += "\r\n";
        }
    }
    proto::Fetch changes;
    changes.uid = true;
    changes.items = {proto::FetchItem{proto::FetchKind::flags, true, {}, {}},
                     proto::FetchItem{proto::FetchKind::mod_seq, true, {}, {}}};
    changes.changed_since = wanted.mod_seq;
    store::UidSet shown = known.intersected(view.messages.uids());
    store::UidSet none;
    const auto answered = co_await answer_fetch(session, changes, std::move(shown), std::move(none));
    co_return answered.alive;
}

}  // namespace

net::Task<Reply> select(Session& session, Command& command) {
    const auto& wanted = std::get<proto::Select>(command.arguments);
    if (wanted.qresync && !session.enabled.qresync) co_return bad("ENABLE QRESYNC first");  // RFC 7162, 3.2.5
    // A failing SELECT leaves nothing selected (RFC 9051, 6.3.2).
    if (session.selected) {
        session.unselect();
        if (session.enabled.qresync || session.enabled.rev2)
            session.out() += "* OK [CLOSED] The mailbox before\r\n";
    }
    const auto place = co_await session.locate(wanted.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal(*place, store::Right::read)) co_return *std::move(refused);
    {
        const auto now = place->reader.snapshot();
        if (!now) co_return reply_to(now.error());
        auto opened = open_mailbox(*now, *place);
        if (!opened) co_return reply_to(opened.error());
        opened->name = wanted.mailbox;
        opened->read_only = wanted.read_only;
        auto names = now->keywords();
        if (!names) co_return reply_to(names.error());
        const auto unseen = now->first_unseen(opened->info.id);
        session.keywords = *std::move(names);
        opened->keywords_told = session.keywords.size();
        if (wanted.condstore || wanted.qresync) session.enable_condstore();
        session.select(*std::move(opened));
        describe(session, *session.selected, unseen ? *unseen : std::nullopt);
    }
    if (wanted.qresync) {
        const bool alive = co_await resynchronize(session, *wanted.qresync);
        if (!alive) co_return no("Connection lost");
    }
    const bool writable = !wanted.read_only && place->rights.any_of(kWriting);
    co_return ok("Selected", writable ? "READ-WRITE" : "READ-ONLY");
}

// RFC 9051, 6.4.1: messages with \Deleted go without a word.
net::Task<Reply> close(Session& session, Command&) {
    const Selected& view = *session.selected;
    bool any_deleted = false;
    // RFC 4314, 4: without "e" it is closed all the same.
    if (!view.read_only && view.rights.has(store::Right::expunge)) {
        const auto now = view.snapshot();
        if (now) {
            const auto current = now->mailbox(view.info.id);
            any_deleted = current && current->deleted != 0;
        }
    }
    if (any_deleted) {
        store::Expunge change;
        change.mailbox = view.info.id;
        store::Action action = std::move(change);
        const auto done = co_await session.apply(view.account, std::move(action));
        if (!done) co_return reply_to(done.error());
    }
    session.unselect();
    co_return ok("Closed");
}

// RFC 9051, 6.4.2
net::Task<Reply> unselect(Session& session, Command&) {
    session.unselect();
    co_return ok("Unselected");
}

}  // namespace mailstead::imapd::commands
