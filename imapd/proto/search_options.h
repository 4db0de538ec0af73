// What SEARCH, SORT, THREAD and ESEARCH are asked to look at and to return (RFC 9051, 6.4.4; RFC 5256; RFC
// 5267; RFC 5957; RFC 6203; RFC 7377; RFC 9394).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/address/mailbox_name.h"
#include "imapd/proto/lexer.h"

namespace mailstead::imapd::proto {

inline constexpr std::size_t kMaxSortCriteria = 16;
inline constexpr std::size_t kMaxSourceMailboxes = 256;  // named in one ESEARCH
inline constexpr std::size_t kMaxCancelledUpdates = 64;

// The n-th results, counted from 1: from the first one on, or from the last one back. As it was written:
// either end may be the larger one.
struct PartialRange {
    std::uint32_t first = 1;
    std::uint32_t last = 1;
    bool from_end = false;

    // The places in a list of `count` results, first and last included, counted from 0; nullopt when there
    // are none.
    struct Places {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
    };
    std::optional<Places> among(std::uint64_t count) const;
    std::uint64_t size() const { return std::uint64_t(last) - first + 1; }
    friend bool operator==(const PartialRange&, const PartialRange&) = default;
};
Parsed<PartialRange> parse_partial_range(Lexer& in);
void write_partial_range(std::string& out, const PartialRange& range);

struct SearchReturn {
    bool extended = false;  // RETURN was given: the answer is ESEARCH
    bool min = false;
    bool max = false;
    bool all = false;
    bool count = false;
    bool save = false;
    bool relevancy = false;
    bool context = false;
    bool update = false;
    std::optional<PartialRange> partial;

    // Whether something of the result itself is asked for.
    bool shows_result() const { return min || max || all || count || relevancy || partial; }
};

enum class SortKey : std::uint8_t {
    arrival,
    cc,
    date,
    display_from,
    display_to,
    from,
    relevancy,
    size,
    subject,
    to
};
struct SortCriterion {
    SortKey key = SortKey::arrival;
    bool reverse = false;
    friend bool operator==(const SortCriterion&, const SortCriterion&) = default;
};

enum class ThreadAlgorithm : std::uint8_t { ordered_subject, references, refs };

// Where an ESEARCH looks (RFC 5465, 6; RFC 7377, 2.2).
struct MailboxSource {
    enum class Kind : std::uint8_t {
        selected,
        inboxes,
        personal,
        subscribed,
        subtree,
        subtree_one,
        mailboxes
    };
    Kind kind = Kind::selected;
    std::vector<MailboxName> names;  // of the last three
};

}  // namespace mailstead::imapd::proto
