// A search made ready for evaluation against messages: patterns folded, dates as seconds, sets as UIDs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/fulltext/text_index.h"
#include "common/mime/text_search.h"
#include "common/store/store.h"
#include "imapd/commands/search_content.h"
#include "imapd/proto/search_key.h"

namespace mailstead::imapd::commands {

enum class Match : std::uint8_t { no, yes, unknown };

struct SearchNode {
    proto::SearchOp op = proto::SearchOp::all;
    std::uint64_t number = 0;
    std::int64_t begin = 0;  // seconds: the day asked for is [begin, begin + 86400)
    int keyword = -1;
    std::string field;
    std::string pattern;                              // folded
    bool plain_pattern = false;                       // ASCII: plain text may be compared as it is
    std::optional<store::FieldRequest> request;       // header, when the cache holds the field
    std::optional<store::HeaderText> header_text;     // header, when records hold the field
    std::shared_ptr<const mime::TextPattern> text;    // body, text
    std::shared_ptr<const fulltext::Answer> indexed;  // body, text: what the full-text index knows of it
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

// In conjunctions and alternatives the keys that cost least come first.
SearchNode plan_search(const proto::SearchKey& key, const SearchContext& context);
// Again, when what keys cost has changed.
void order_by_cost(SearchNode& node);

// A message under test. From the index alone some keys stay unknown; with its content at hand none does.
class SearchSubject {
public:
    // `content`, if there is one, stands at the same message.
    SearchSubject(const store::MessageInfo& info, const store::Snapshot& snapshot,
                  SearchContent* content = nullptr)
        : info_(info), snapshot_(snapshot), content_(content) {}

    // Index first: dense records before the fetch cache, and that before the file.
    Match test(const SearchNode& node);

private:
    Match test_all_of(const SearchNode& node);
    Match test_any_of(const SearchNode& node);
    Match test_sent(const SearchNode& node);
    Match test_header(const SearchNode& node);
    Match test_text(const SearchNode& node);
    std::optional<Match> test_cached_header(const SearchNode& node);
    bool contains(const SearchNode& node, std::string_view fields) const;
    const store::HeaderRecord* record();
    const store::CachedMessage* cached();

    const store::MessageInfo& info_;
    const store::Snapshot& snapshot_;
    SearchContent* content_;
    std::optional<store::HeaderRecord> record_;
    std::optional<store::CachedMessage> cached_;
    bool record_read_ = false;
    bool cache_read_ = false;
};

// Takes keys that sets of the index answer, alone or joined by AND, OR and NOT, out of the conjunction at the
// top and narrows `candidates`, which are messages of the mailbox, by them. Whether nothing is left to test.
store::Outcome<bool> narrow(SearchNode& node, const store::Snapshot& snapshot, MailboxId mailbox,
                            store::UidSet& candidates);

}  // namespace mailstead::imapd::commands
