#include "imapd/commands/sort.h"

#include <algorithm>

#include "common/runtime/offload.h"
#include "imapd/commands/message_walk.h"

namespace mailstead::imapd::commands {
namespace {

// Fewer are sorted at once.
constexpr std::size_t kOffloadFrom = 5'000;

// Keys that were cut and cannot be told apart get their whole texts (RFC 5256, 3: strings are compared
// whole).
net::Task<store::Outcome<void>> complete_texts(Session& session, SearchScope scope, SortKeys& keys) {
    std::vector<std::uint32_t> numbers = keys.undecided();
    if (numbers.empty()) co_return store::Outcome<void>();
    std::sort(numbers.begin(), numbers.end(),
              [&](std::uint32_t a, std::uint32_t b) { return keys.uid(a) < keys.uid(b); });
    store::UidSet uids;
    for (const std::uint32_t n : numbers) uids.add(Uid(keys.uid(n)));
    auto at = numbers.begin();
    const auto visit = [&](const WalkedMessage& message) {
        const std::uint32_t uid = message.info.uid.value;
        while (at != numbers.end() && keys.uid(*at) < uid) ++at;
        if (at != numbers.end() && keys.uid(*at) == uid) keys.complete(*at, *message.cached);
    };
    co_return co_await walk_messages(session, scope, std::move(uids), WalkNeeds::cache, visit);
}

bool wants_relevancy(const proto::Search& search) {
    return search.result.relevancy ||
           std::any_of(search.criteria.begin(), search.criteria.end(),
                       [](const auto& c) { return c.key == proto::SortKey::relevancy; });
}

net::Task<store::Outcome<void>> put_in_order(Session& session, const proto::Search& search,
                                             const SearchRequest& request, SearchScope scope,
                                             const store::UidSet& uids, SearchAnswer& answer) {
    SortKeys keys(search.criteria);
    keys.reserve(static_cast<std::size_t>(uids.count()));
    const auto* terms = wants_relevancy(search) ? &request.terms : nullptr;
    store::UidSet all = uids;
    const auto done = co_await collect_sort_keys(session, scope, std::move(all), terms, keys);
    if (!done) co_return done.error();
    const std::vector<std::uint32_t> order = co_await sort_all(session, keys);
    for (const std::uint32_t n : order) {
        answer.uids.add(keys.uid(n));
        if (search.result.relevancy) answer.relevancy.push_back(keys.relevancy(n));
    }
    co_return store::Outcome<void>();
}

// RFC 4731, 3.2; RFC 7162, 3.1.10: the highest mod-sequence of what is returned.
store::Outcome<ModSeq> mod_seq_of(const SearchScope& scope, const proto::SearchReturn& wanted,
                                  const Found& found, const ResultList& uids) {
    if (wanted.all || wanted.count || (!wanted.min && !wanted.max && !wanted.partial)) return found.highest;
    TRY(now, scope.snapshot());
    ModSeq highest;
    const auto visit = [&](const store::MessageInfo& message) {
        highest = std::max(highest, message.modseq);
        return true;
    };
    const store::UidSet returned = result_to_save(wanted, uids);
    TRY_VOID(now.messages(scope.mailbox, returned, visit));
    return highest;
}

}  // namespace

net::Task<store::Outcome<void>> collect_sort_keys(Session& session, SearchScope scope, store::UidSet uids,
                                                  const std::vector<FuzzyTerm>* terms, SortKeys& keys) {
    const auto visit = [&](const WalkedMessage& message) {
        if (terms != nullptr) {
            keys.add(message.info, message.cached, relevancy_of(*terms, *message.cached));
        } else {
            keys.add(message.info, message.header, 1);
        }
    };
    const WalkNeeds unscored = keys.needs_header() ? WalkNeeds::header : WalkNeeds::entry;
    const WalkNeeds needs = terms != nullptr ? WalkNeeds::cache : unscored;
    const auto done = co_await walk_messages(session, scope, std::move(uids), needs, visit);
    if (!done) co_return done.error();
    co_return co_await complete_texts(session, scope, keys);
}

net::Task<std::vector<std::uint32_t>> sort_all(Session& session, const SortKeys& keys) {
    if (keys.size() >= kOffloadFrom) {
        const auto job = [&keys] { return keys.sorted(); };
        auto order = co_await runtime::offload(session.backend.pool(), job);
        if (order) co_return *std::move(order);
    }
    co_return keys.sorted();
}

net::Task<store::Outcome<SearchAnswer>> answer_for(Session& session, const proto::Search& search,
                                                   const SearchRequest& request, SearchScope scope,
                                                   Found found) {
    SearchAnswer answer;
    if (!search.criteria.empty() || search.result.relevancy) {
        const auto done = co_await put_in_order(session, search, request, scope, found.uids, answer);
        if (!done) co_return done.error();
    } else {
        answer.uids = ResultList(found.uids);
    }
    if (request.key.contains(proto::SearchOp::mod_seq)) {
        const auto highest = mod_seq_of(scope, search.result, found, answer.uids);
        if (!highest) co_return highest.error();
        answer.mod_seq = *highest;
    }
    co_return answer;
}

}  // namespace mailstead::imapd::commands
