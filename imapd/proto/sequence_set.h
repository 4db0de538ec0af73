// Sets of sequence numbers or UIDs as clients write them (RFC 9051, 9: sequence-set).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "imapd/proto/lexer.h"

namespace mailstead::imapd::proto {

// Both ends included, first <= last.
struct NumberRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

// As it was written: "*" is kept as such, since only the mailbox knows what it stands for.
class SequenceSet {
public:
    static constexpr std::uint32_t kStar = 0;  // no message has the number 0
    // More ranges than a client has reason to send in one command.
    static constexpr std::size_t kMaxRanges = 50'000;

    // sequence-set = (seq-number / seq-range) ["," sequence-set] / seq-last-command
    static Parsed<SequenceSet> parse(Lexer& in);
    // These numbers.
    static SequenceSet of(std::vector<NumberRange> ranges);

    // "$": the result of the last SEARCH with SAVE (RFC 9051, 6.4.4.1).
    bool is_saved_result() const { return saved_; }
    // Whether it may name more messages than it has numbers: `2:7`, `$`.
    bool has_ranges() const;
    bool has_star() const;
    // Ascending, merged, with "*" replaced by `largest` (RFC 9051, 9: the number of the last message). Beyond
    // `largest` nothing is cut off: a client may name UIDs that do not exist. `largest` 0 stands for an empty
    // mailbox, in which "*" names nothing.
    std::vector<NumberRange> resolve(std::uint32_t largest) const;
    // The largest number named; 0 for "*" or "$" alone.
    std::uint32_t largest_named() const;

    // The ranges as written.
    const std::vector<NumberRange>& written() const { return ranges_; }

private:
    std::vector<NumberRange> ranges_;
    bool saved_ = false;
};

// `1:3,7,9:12` appended to `out`.
void write_ranges(std::string& out, const std::vector<NumberRange>& ranges);
// Adds `number`, larger than all in `ranges`, extending the last range where it fits.
void append_number(std::vector<NumberRange>& ranges, std::uint32_t number);

}  // namespace mailstead::imapd::proto
