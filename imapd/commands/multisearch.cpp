// ESEARCH over several mailboxes (RFC 7377).
#include <algorithm>
#include <map>
#include <set>

#include "imapd/commands/commands.h"
#include "imapd/commands/live_search.h"
#include "imapd/commands/mailbox_search.h"
#include "imapd/commands/search_answer.h"
#include "imapd/commands/search_request.h"
#include "imapd/commands/sort.h"
#include "imapd/session/place.h"

namespace mailstead::imapd::commands {
namespace {

using proto::MailboxSource;
using Kind = MailboxSource::Kind;

bool is_below(std::string_view name, std::string_view above) {
    return name.size() > above.size() + 1 && name.starts_with(above) &&
           name[above.size()] == MailboxName::kSeparator;
}

bool is_named(const MailboxSource& source, const MailboxName& name) {
    for (const MailboxName& root : source.names) {
        if (name.utf8() == root.utf8()) return true;
        if (source.kind == Kind::mailboxes || !is_below(name.utf8(), root.utf8())) continue;
        const std::string_view rest = std::string_view(name.utf8()).substr(root.utf8().size() + 1);
        if (source.kind == Kind::subtree || rest.find(MailboxName::kSeparator) == std::string_view::npos)
            return true;
    }
    return false;
}

// RFC 5465, 6. The selected mailbox is looked for by its name.
bool belongs_to(const MailboxSource& source, const store::MailboxInfo& mailbox) {
    switch (source.kind) {
        case Kind::selected:
            return false;
        case Kind::inboxes:  // where deliver puts mail
            return mailbox.name.is_inbox() || mailbox.special_use == store::SpecialUse::junk;
        case Kind::personal:
            return true;
        case Kind::subscribed:
            return mailbox.subscribed;
        default:
            return is_named(source, mailbox.name);
    }
}

bool has(const proto::Search& search, std::initializer_list<Kind> kinds) {
    return std::any_of(search.sources.begin(), search.sources.end(), [&](const MailboxSource& source) {
        return std::find(kinds.begin(), kinds.end(), source.kind) != kinds.end();
    });
}

// A mailbox to be searched, as the client calls it.
struct Target {
    MailboxName name = MailboxName::inbox();
    bool explicitly = false;  // it was named: RFC 7377, 2.2 asks for no right to list it
};
// In the order of names, each once.
using Targets = std::map<std::string, Target>;

void add(Targets& targets, const MailboxName& name, bool explicitly) {
    Target& target = targets[name.utf8()];
    target.name = name;
    target.explicitly = target.explicitly || explicitly;
}

store::Outcome<void> add_own(const Session& session, const proto::Search& search, Targets& targets) {
    TRY(now, session.own_snapshot());
    TRY(all, now.mailboxes());
    for (const store::MailboxInfo& mailbox : all) {
        const bool wanted =
            std::any_of(search.sources.begin(), search.sources.end(),
                        [&](const MailboxSource& source) { return belongs_to(source, mailbox); });
        if (wanted) add(targets, mailbox.name, false);
    }
    return {};
}

// Mailboxes that others share: those that are subscribed, or lie below a name.
net::Task<store::Outcome<void>> add_foreign(Session& session, const proto::Search& search, Targets& targets) {
    std::set<std::string> subscribed;
    {
        const auto now = session.own_snapshot();
        if (!now) co_return now.error();
        const auto names = now->subscriptions();
        if (!names) co_return names.error();
        for (const MailboxName& name : *names) subscribed.insert(name.utf8());
    }
    const auto foreign = co_await session.foreign_mailboxes();
    if (!foreign) co_return foreign.error();
    for (const Session::Foreign& each : *foreign) {
        for (const MailboxSource& source : search.sources) {
            const bool wanted = source.kind == Kind::subscribed
                                    ? subscribed.contains(each.mailbox.name.utf8())
                                    : is_named(source, each.mailbox.name);
            if (wanted) add(targets, each.mailbox.name, false);
        }
    }
    co_return store::Outcome<void>();
}

net::Task<store::Outcome<Targets>> targets_of(Session& session, const proto::Search& search) {
    Targets targets;
    if (has(search, {Kind::inboxes, Kind::personal, Kind::subscribed, Kind::subtree, Kind::subtree_one})) {
        const auto done = add_own(session, search, targets);
        if (!done) co_return done.error();
    }
    if (has(search, {Kind::subscribed, Kind::subtree, Kind::subtree_one})) {
        const auto done = co_await add_foreign(session, search, targets);
        if (!done) co_return done.error();
    }
    for (const MailboxSource& source : search.sources) {
        for (const MailboxName& name : source.names) add(targets, name, true);
        if (source.kind == Kind::selected) add(targets, session.selected->name, true);
    }
    co_return targets;
}

// one-correlator = ("TAG" SP tag-string) / ("MAILBOX" SP astring) / ("UIDVALIDITY" SP nz-number)
std::string correlator_of(const Session& session, const MailboxName& name, UidValidity validity) {
    std::string text = " MAILBOX ";
    proto::write_mailbox(text, name, session.enabled.strings());
    text += " UIDVALIDITY ";
    proto::write_number(text, validity.value);
    return text;
}

// Why the command is wrong for this session (RFC 7377, 2.2).
std::optional<Reply> wrong_state(const Session& session, const Command& command,
                                 const proto::Search& search) {
    const bool asks_selected = std::any_of(search.sources.begin(), search.sources.end(),
                                           [](const MailboxSource& s) { return s.kind == Kind::selected; });
    if (!session.selected && (asks_selected || search.result.update)) return bad("Select a mailbox first");
    if (search.result.update && is_live(session, command.tag)) return bad("Tag reuse");
    return std::nullopt;
}

net::Task<bool> follow(Session& session, const Command& command, const proto::Search& search,
                       const SearchRequest& request, std::string correlator, store::UidSet members,
                       ModSeq since) {
    auto frozen = freeze(request.key, scope_of_selected(session));
    if (!frozen) co_return false;
    LiveSearch live;
    live.tag = command.tag;
    live.correlator = std::move(correlator);
    live.uid = true;
    live.key = *std::move(frozen);
    live.members = std::move(members);
    live.terms = request.terms;
    std::vector<proto::SortCriterion> criteria = search.criteria;
    co_return co_await start_live(session, std::move(live), std::move(criteria), since);
}

// The answer about one mailbox, and whether updates of it began. Mailboxes that do not exist, or that the
// user has no right to search, are passed over (RFC 7377, 5).
net::Task<store::Outcome<bool>> search_one(Session& session, const Command& command,
                                           const proto::Search& search, const SearchRequest& request,
                                           const Target& target) {
    static const std::optional<store::UidSet> kNothing;
    MailboxName name = target.name;
    const auto place = co_await session.locate(std::move(name));
    if (!place) co_return place.error();
    if (!place->may(store::Right::read) || (!target.explicitly && !place->is_visible())) co_return false;
    const Selected* selected = session.selected ? &*session.selected : nullptr;
    const bool is_selected =
        selected != nullptr && selected->account == place->account && selected->info.id == place->mailbox->id;
    store::UidRuns runs;
    ModSeq since;
    if (is_selected) {
        runs = selected->messages;
        since = selected->told;
    } else {
        const auto now = place->reader.snapshot();
        if (!now) co_return now.error();
        auto current = now->runs(place->mailbox->id);
        if (!current) co_return current.error();
        runs = *std::move(current);
    }
    const std::optional<store::UidSet>& saved = is_selected ? selected->saved_result : kNothing;
    const SearchScope scope{place->reader, place->mailbox->id, runs, saved, place->id_scope()};
    store::UidSet candidates = runs.uids();
    auto found = co_await find(session, request.key, scope, std::move(candidates));
    if (!found) co_return found.error();
    const std::string correlator = correlator_of(session, target.name, place->mailbox->uidvalidity);
    store::UidSet members = found->uids;
    bool followed = false;
    if (is_selected && search.result.update)
        followed = co_await follow(session, command, search, request, correlator, std::move(members), since);
    const bool any = !found->uids.empty();
    Found matches = *std::move(found);
    auto answer = co_await answer_for(session, search, request, scope, std::move(matches));
    if (!answer) co_return answer.error();
    if (search.result.save) session.selected->saved_result = result_to_save(search.result, answer->uids);
    proto::SearchReturn shown = search.result;
    const bool silent = shown.save && !shown.shows_result();
    if (!shown.shows_result() && !silent) shown.all = true;
    // RFC 7377, 2.1: nothing about mailboxes without matches.
    if (any && !silent) write_extended(session.out(), command.tag, correlator, shown, *answer, nullptr);
    co_return followed;
}

}  // namespace

net::Task<Reply> search_mailboxes(Session& session, Command& command) {
    const auto& search = std::get<proto::Search>(command.arguments);
    if (auto refusal = wrong_state(session, command, search)) co_return *std::move(refusal);
    SearchRequest request;
    if (auto refusal = prepare(session, search, request)) co_return *std::move(refusal);
    if (request.key.contains(proto::SearchOp::mod_seq)) session.enable_condstore();
    const auto targets = co_await targets_of(session, search);
    if (!targets) co_return reply_to(targets.error());
    bool followed = false;
    for (const auto& [name, target] : *targets) {
        const auto done = co_await search_one(session, command, search, request, target);
        if (!done && done.error().fault == store::Fault::non_existent) continue;
        if (!done) co_return reply_to(done.error());
        followed = followed || *done;
        const bool alive = co_await session.flush_if_full();
        if (!alive) co_return no("Connection lost");
    }
    if (search.result.update && !followed) refuse_live(session, command.tag);
    co_return ok("Found");
}

}  // namespace mailstead::imapd::commands
