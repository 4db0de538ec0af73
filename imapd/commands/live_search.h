// Searches whose results are kept up to date while their mailbox is selected (RFC 5267, 4.3). Only messages
// that came, changed or went are looked at.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/task.h"
#include "imapd/commands/fuzzy.h"
#include "imapd/commands/mailbox_search.h"
#include "imapd/commands/sort_keys.h"

namespace mailstead::imapd {

struct Selected;

namespace commands {

inline constexpr std::size_t kMaxLiveSearches = 10;      // of one session
inline constexpr std::size_t kMaxLiveRecords = 250'000;  // messages in sorted ones, all together

// The order of a sorted result.
class LiveOrder {
public:
    // Takes all of `keys` as the result.
    explicit LiveOrder(SortKeys keys, std::vector<std::uint32_t> sorted);

    std::size_t records() const { return keys_.size(); }
    SortKeys& keys() { return keys_; }
    // Those that have no record yet.
    store::UidSet unknown(const store::UidSet& uids) const;
    // Makes the records from `begin` on known.
    void learn(std::size_t begin);
    // Forgets what is no more in the mailbox.
    void forget(const store::UidSet& gone);

    // A stretch of neighbours and the place of the first of them, from 1 on.
    struct Stretch {
        std::uint64_t place = 0;
        std::vector<std::uint32_t> uids;
    };
    // In the order in which a client is to take them out: from the end on, so that places stay valid.
    std::vector<Stretch> remove(const store::UidSet& uids);
    // In the order in which a client is to put them in: from the beginning on.
    std::vector<Stretch> insert(const store::UidSet& uids);
    std::vector<std::uint32_t> uids() const;

private:
    struct Known {
        std::uint32_t uid;
        std::uint32_t n;
    };
    const Known* find(std::uint32_t uid) const;
    void compact();

    SortKeys keys_;
    std::vector<Known> known_;          // by UID
    std::vector<std::uint32_t> order_;  // numbers of records
};

struct LiveSearch {
    std::string tag;
    std::string correlator;  // as in write_extended()
    bool uid = false;
    proto::SearchKey key;  // frozen
    store::UidSet members;
    std::vector<FuzzyTerm> terms;
    std::optional<LiveOrder> order;
    Uid next;                // messages from here on were not looked at
    std::uint32_t star = 0;  // what "*" stood for
};

// Those of the selected mailbox.
struct LiveSearches {
    std::vector<LiveSearch> searches;
    ModSeq seen;  // changes up to here are in the results
};

// The key with message numbers and "$" as they are now (RFC 5267, 4.3). nullopt when it becomes too long to
// be kept.
std::optional<proto::SearchKey> freeze(const proto::SearchKey& key, const SearchScope& scope);

// Whether a live search has this tag.
bool is_live(const Session& session, std::string_view tag);
// Begins to tell of changes after `since`. False: too many live searches, or too large a result.
net::Task<bool> start_live(Session& session, LiveSearch search, std::vector<proto::SortCriterion> criteria,
                           ModSeq since);
// `* NO [NOUPDATE "tag"]` (RFC 5267, 4.3.1)
void refuse_live(Session& session, std::string_view tag);

// Tells of new and changed messages, after the client has been told of these themselves. False when it is
// gone.
net::Task<bool> update_live_searches(Session& session);
// Tells that `gone` is no longer in the results: before the client loses the numbers of these messages.
void tell_removed(std::string& out, const Selected& view, const store::UidSet& gone);

}  // namespace commands
}  // namespace mailstead::imapd
