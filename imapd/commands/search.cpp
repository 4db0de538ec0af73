// What SEARCH finds (RFC 9051, 6.4.4; RFC 7162, 3.1.5).
#include "imapd/commands/mailbox_search.h"
#include "imapd/commands/search_index.h"
#include "imapd/commands/search_plan.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {

std::string without_uid(const std::string& limited) {
    return limited.substr(0, limited.rfind(' '));
}

SearchScope scope_of_selected(const Session& session) {
    const Selected& view = *session.selected;
    return {*view.reader, view.info.id, view.messages, view.saved_result, view.id_scope(), true};
}

net::Task<store::Outcome<Found>> find(Session& session, const proto::SearchKey& key, SearchScope scope,
                                      store::UidSet left) {
    SearchNode plan;
    std::string limited;
    {
        auto now = scope.snapshot();
        if (!now) co_return now.error();
        const auto keywords = now->keywords();
        if (!keywords) co_return keywords.error();
        const SearchContext context{scope.messages, scope.saved_result, *keywords, mailstead::now(),
                                    scope.ids};
        plan = plan_search(key, context);
        const auto existing = now->uids(scope.mailbox);
        if (!existing) co_return existing.error();
        left = left.intersected(*existing);
        const auto decided = narrow(plan, *now, scope.mailbox, left);
        if (!decided) co_return decided.error();
        if (scope.limited) limited = session.limit(left);
        if (scope.whole && !limited.empty()) left = store::UidSet();
        if (*decided || left.empty()) {
            Found found;
            found.uids = std::move(left);
            found.limited = std::move(limited);
            co_return found;
        }
    }
    // The session may select another mailbox's account meanwhile.
    const store::AccountReader account = scope.reader;
    co_await ask_text_index(session, account, plan, left);
    SearchOptions options;
    options.between_rounds = [&session](SearchProgress progress) {
        return session.tell_progress(progress.done, progress.total);
    };
    auto found = co_await run_search(session, account, scope.mailbox, plan, std::move(left), options);
    if (found) found->limited = std::move(limited);
    co_return found;
}

}  // namespace mailstead::imapd::commands
