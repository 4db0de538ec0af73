// A search made ready for evaluation against messages: patterns folded, dates as seconds, sets as UIDs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/store.h"
#include "imapd/proto/search_key.h"

namespace mailstead::mime {
class Message;
}

namespace mailstead::imapd::commands {

enum class Match : std::uint8_t { no, yes, unknown };

struct SearchNode {
    proto::SearchOp op = proto::SearchOp::all;
    std::uint64_t number = 0;
    std::int64_t begin = 0;  // seconds: the day asked for is [begin, begin + 86400)
    int keyword = -1;
    std::string field;
    std::string pattern;                         // folded
    bool plain_pattern = false;                  // ASCII: plain text may be compared as it is
    std::optional<store::FieldRequest> request;  // header, when the cache holds the field
    store::UidSet set;
    std::vector<SearchNode> children;
};

// What numbers in keys stand for.
struct SearchContext {
    const store::UidRuns& messages;
    const std::optional<store::UidSet>& saved_result;
    const std::vector<std::string>& keywords;
    Time now;
    AccountId id_scope;  // see Place
};

SearchNode plan_search(const proto::SearchKey& key, const SearchContext& context);

// A message under test. From the index alone some keys stay unknown; with the parsed message none does.
class SearchSubject {
public:
    SearchSubject(const store::MessageInfo& info, const store::Snapshot& snapshot)
        : info_(info), snapshot_(&snapshot) {}
    SearchSubject(const store::MessageInfo& info, const mime::Message& message)
        : info_(info), message_(&message) {}

    Match test(const SearchNode& node);

private:
    Match test_all_of(const SearchNode& node);
    Match test_any_of(const SearchNode& node);
    Match test_sent(const SearchNode& node);
    Match test_header(const SearchNode& node);
    Match test_text(const SearchNode& node) const;
    bool contains(const SearchNode& node, std::string_view fields) const;
    const store::CachedMessage* cached();

    const store::MessageInfo& info_;
    const store::Snapshot* snapshot_ = nullptr;
    const mime::Message* message_ = nullptr;
    std::optional<store::CachedMessage> cached_;
    bool cache_read_ = false;
};

// Takes keys that sets of the index answer out of the conjunction at the top and narrows `candidates` by
// them. Whether nothing is left to test.
store::Outcome<bool> narrow(SearchNode& node, const store::Snapshot& snapshot, MailboxId mailbox,
                            store::UidSet& candidates);

}  // namespace mailstead::imapd::commands
