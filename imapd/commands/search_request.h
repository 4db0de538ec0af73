// A search as the client wrote it, made ready to be run: stored filters in place (RFC 5466), fuzzy keys
// replaced (RFC 6203).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/store.h"
#include "imapd/commands/fuzzy.h"
#include "imapd/proto/command.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {

inline constexpr unsigned kMaxFilterPasses = 8;            // filters that name filters; RFC 5466 wants three
inline constexpr std::size_t kMaxFilterText = 256 * 1024;  // put into one search

struct SearchRequest {
    proto::SearchKey key;
    std::vector<FuzzyTerm> terms;  // texts to be matched loosely
    bool fuzzy = false;            // a FUZZY key was given
};

// Why the search cannot be run; nullopt: `request` is ready.
std::optional<Reply> prepare(const Session& session, const proto::Search& search, SearchRequest& request);

// Puts the values of filters in the place of FILTER keys. `values` are annotations of the account. The reply
// names the filter that is undefined, wrong or in a loop.
std::optional<Reply> expand_filters(proto::SearchKey& key,
                                    const std::vector<store::Snapshot::Annotation>& values);

}  // namespace mailstead::imapd::commands
