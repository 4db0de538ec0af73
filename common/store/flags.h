// Flags of a message (RFC 9051, 2.3.2): five system flags as bits, keywords as bits over the account's
// keyword table.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/store/failure.h"

namespace mailstead::store {

enum class SystemFlag : std::uint8_t { seen = 1, answered = 2, flagged = 4, deleted = 8, draft = 16 };

class SystemFlags {
public:
    static constexpr std::uint8_t kAll = 31;

    constexpr SystemFlags() = default;
    constexpr SystemFlags(SystemFlag flag)
        : bits_(static_cast<std::uint8_t>(flag)) {}  // NOLINT: a set of one
    static constexpr SystemFlags from_bits(std::uint8_t bits) {
        SystemFlags flags;
        flags.bits_ = bits & kAll;
        return flags;
    }

    constexpr std::uint8_t bits() const { return bits_; }
    constexpr bool has(SystemFlag flag) const { return (bits_ & static_cast<std::uint8_t>(flag)) != 0; }
    constexpr bool empty() const { return bits_ == 0; }
    constexpr SystemFlags with(SystemFlags other) const { return from_bits(bits_ | other.bits_); }
    constexpr SystemFlags without(SystemFlags other) const {
        return from_bits(static_cast<std::uint8_t>(bits_ & ~other.bits_));
    }
    friend constexpr bool operator==(SystemFlags, SystemFlags) = default;

private:
    std::uint8_t bits_ = 0;
};
constexpr SystemFlags operator|(SystemFlags a, SystemFlags b) {
    return a.with(b);
}
constexpr SystemFlags operator|(SystemFlag a, SystemFlag b) {
    return SystemFlags(a).with(b);
}

// Keywords as bits: bit n is the n-th name of the account's table (Snapshot::keywords()).
struct Keywords {
    static constexpr std::size_t kLimit = 128;
    std::array<std::uint64_t, 2> words{};

    constexpr bool has(std::size_t n) const { return (words[n / 64] >> (n % 64) & 1) != 0; }
    constexpr void set(std::size_t n) { words[n / 64] |= std::uint64_t{1} << (n % 64); }
    constexpr bool empty() const { return words[0] == 0 && words[1] == 0; }
    // Calls `visit(n)` for each bit that is set, in rising order.
    template <class Visit>
    void each(Visit&& visit) const {
        for (std::size_t word = 0; word < 2; ++word) {
            for (std::uint64_t bits = words[word]; bits != 0; bits &= bits - 1) {
                visit(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
            }
        }
    }
    friend constexpr bool operator==(const Keywords&, const Keywords&) = default;
};

struct Flags {
    SystemFlags system;
    Keywords keywords;
    friend constexpr bool operator==(const Flags&, const Flags&) = default;
};

// Flags as a client or a script names them: what a change carries, since it cannot know the account's table.
struct FlagList {
    SystemFlags system;
    std::vector<std::string> keywords;
    friend bool operator==(const FlagList&, const FlagList&) = default;
};

// flag-keyword = "$MDNSent" / "$Forwarded" / "$Junk" / "$NotJunk" / "$Phishing" / atom (RFC 9051, 9), at most
// 100 bytes.
inline constexpr std::size_t kMaxKeyword = 100;
bool is_keyword(std::string_view name);

// The names of an account's keywords; letters keep the case of the first use and compare without it (RFC
// 9051, 2.3.2). At most Keywords::kLimit names, never forgotten.
class KeywordTable {
public:
    const std::vector<std::string>& names() const { return names_; }
    // The bit of `name`, or -1.
    int find(std::string_view name) const;
    // The bits of those names that are known; what no message has ever carried is left out.
    Keywords known(const std::vector<std::string>& names) const;
    // The bits of `names`, each added to the table if it is new: Fault::limit when full, Fault::invalid for
    // what is no keyword.
    Outcome<Keywords> take(const std::vector<std::string>& names);

    std::string encode() const;
    static Outcome<KeywordTable> decode(std::string_view bytes);

private:
    std::vector<std::string> names_;
};

void write(ByteWriter& out, const FlagList& flags);
FlagList read_flag_list(ByteReader& in);

}  // namespace mailstead::store
