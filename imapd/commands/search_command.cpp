// SEARCH (RFC 9051, 6.4.4; RFC 4731; RFC 5182) and SORT (RFC 5256, 3; RFC 5267, 3).
#include "imapd/commands/commands.h"
#include "imapd/commands/live_search.h"
#include "imapd/commands/mailbox_search.h"
#include "imapd/commands/search_answer.h"
#include "imapd/commands/search_request.h"
#include "imapd/commands/sort.h"

namespace mailstead::imapd::commands {
namespace {

void write_answer(Session& session, const Command& command, const proto::Search& search,
                  const SearchAnswer& answer) {
    const store::UidRuns& messages = session.selected->messages;
    const bool sorted = search.kind == proto::Search::Kind::sort;
    const proto::SearchReturn& wanted = search.result;
    // RFC 5182, 2.4: SAVE alone returns nothing.
    if (wanted.save && !wanted.shows_result() && !wanted.update && !wanted.context) return;
    if (wanted.extended || (session.enabled.rev2 && !sorted)) {
        proto::SearchReturn shown = wanted;
        if (!wanted.extended) shown.all = true;
        write_extended(session.out(), command.tag, "", shown, answer, search.uid ? nullptr : &messages);
        return;
    }
    const ResultList numbers = search.uid ? answer.uids : answer.uids.numbered(messages);
    write_plain(session.out(), sorted ? "SORT" : "SEARCH", numbers, answer.mod_seq);
}

}  // namespace

net::Task<Reply> search(Session& session, Command& command) {
    const auto& search = std::get<proto::Search>(command.arguments);
    if (search.result.update && is_live(session, command.tag)) co_return bad("Tag reuse");  // RFC 5267, 4.3
    SearchRequest request;
    if (auto refusal = prepare(session, search, request)) {
        if (search.result.save && refusal->condition == proto::Condition::no)
            session.selected->saved_result = store::UidSet();
        co_return *std::move(refusal);
    }
    if (request.key.contains(proto::SearchOp::mod_seq)) session.enable_condstore();
    const ModSeq since = session.selected->told;
    store::UidSet candidates = session.selected->messages.uids();
    SearchScope scope = scope_of_selected(session);
    scope.whole = search.kind == proto::Search::Kind::sort;
    auto found = co_await find(session, request.key, scope, std::move(candidates));
    if (found && scope.whole && !found->limited.empty()) {  // RFC 9738, 3.3
        if (search.result.save) session.selected->saved_result = store::UidSet();
        co_return no("Too many messages to sort", without_uid(found->limited));
    }
    store::Outcome<SearchAnswer> answer =
        found ? store::Outcome<SearchAnswer>(SearchAnswer()) : found.error();
    if (found) {
        Found matches = *found;
        auto made = co_await answer_for(session, search, request, scope, std::move(matches));
        answer = std::move(made);
    }
    if (!answer) {
        // RFC 5182, 2.1: a search with SAVE that fails leaves nothing saved.
        if (search.result.save) session.selected->saved_result = store::UidSet();
        co_return reply_to(answer.error());
    }
    // A live search goes on with "$" as it was when the search began.
    std::optional<proto::SearchKey> frozen;
    if (search.result.update) frozen = freeze(request.key, scope);
    write_answer(session, command, search, *answer);
    if (search.result.save) session.selected->saved_result = result_to_save(search.result, answer->uids);
    if (frozen) {
        LiveSearch live;
        live.tag = command.tag;
        live.uid = search.uid;
        live.key = *std::move(frozen);
        live.members = std::move(found->uids);
        live.terms = std::move(request.terms);
        const bool started = co_await start_live(session, std::move(live), search.criteria, since);
        if (!started) refuse_live(session, command.tag);
    }
    co_return ok(search.kind == proto::Search::Kind::sort ? "Sorted" : "Found", found->limited);
}

}  // namespace mailstead::imapd::commands
