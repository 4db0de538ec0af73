// Bringing found messages into an order.
#pragma once

#include <vector>

#include "common/net/task.h"
#include "imapd/commands/fuzzy.h"
#include "imapd/commands/mailbox_search.h"
#include "imapd/commands/search_answer.h"
#include "imapd/commands/search_request.h"
#include "imapd/commands/sort_keys.h"

namespace mailstead::imapd::commands {

// Adds those of `uids` that exist to `keys`, in rising order. `terms` give their relevancy; null: it is not
// wanted.
net::Task<store::Outcome<void>> collect_sort_keys(Session& session, SearchScope scope, store::UidSet uids,
                                                  const std::vector<FuzzyTerm>* terms, SortKeys& keys);

// Sorts all of `keys`, where many are to be sorted on the pool.
net::Task<std::vector<std::uint32_t>> sort_all(Session& session, const SortKeys& keys);

// What the command is to answer about one mailbox.
net::Task<store::Outcome<SearchAnswer>> answer_for(Session& session, const proto::Search& search,
                                                   const SearchRequest& request, SearchScope scope,
                                                   Found found);

}  // namespace mailstead::imapd::commands
