// What somebody may do with a mailbox (RFC 4314, 2.1), and which flags that lets him change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/store/flags.h"

namespace mailstead::store {

enum class Right : std::uint16_t {
    lookup = 1,            // l: LIST and SUBSCRIBE see the mailbox
    read = 2,              // r: SELECT, STATUS
    seen = 4,              // s: \Seen
    write = 8,             // w: flags other than \Seen and \Deleted
    insert = 16,           // i: APPEND, COPY into it
    post = 32,             // p: kept for other servers' sake; nothing here asks for it
    create = 64,           // k: CREATE below it
    remove = 128,          // x: DELETE, RENAME
    delete_message = 256,  // t: \Deleted
    expunge = 512,         // e: EXPUNGE
    administer = 1024,     // a: SETACL and its kin
};

// Flags that a change may touch; it leaves all others as they are.
struct FlagScope {
    SystemFlags system = SystemFlags::from_bits(SystemFlags::kAll);
    bool keywords = true;

    static constexpr FlagScope none() { return {SystemFlags(), false}; }
    constexpr bool is_all() const { return system.bits() == SystemFlags::kAll && keywords; }
    constexpr bool empty() const { return system.empty() && !keywords; }
    // Those of `flags` that are in it.
    FlagList within(FlagList flags) const;
    friend constexpr bool operator==(FlagScope, FlagScope) = default;
};

class Rights {
public:
    static constexpr std::uint16_t kAll = 2047;

    constexpr Rights() = default;
    constexpr Rights(Right right) : bits_(static_cast<std::uint16_t>(right)) {}  // NOLINT: a set of one
    static constexpr Rights all() { return from_bits(kAll); }
    static constexpr Rights from_bits(std::uint16_t bits) {
        Rights rights;
        rights.bits_ = bits & kAll;
        return rights;
    }
    // rights = astring of letters; "c" stands for "kx" and "d" for "te" (RFC 4314, 2.1.1). nullopt for
    // anything else, capitals too.
    static std::optional<Rights> parse(std::string_view letters);
    // With "c" and "d" where one of their members is there, as older clients expect.
    std::string to_string() const;

    constexpr std::uint16_t bits() const { return bits_; }
    constexpr bool has(Right right) const { return (bits_ & static_cast<std::uint16_t>(right)) != 0; }
    constexpr bool any_of(Rights some) const { return (bits_ & some.bits_) != 0; }
    constexpr bool empty() const { return bits_ == 0; }
    constexpr Rights with(Rights other) const {
        return from_bits(static_cast<std::uint16_t>(bits_ | other.bits_));
    }
    constexpr Rights without(Rights other) const {
        return from_bits(static_cast<std::uint16_t>(bits_ & ~other.bits_));
    }
    // RFC 4314, 4: "s" for \Seen, "t" for \Deleted, "w" for all others.
    FlagScope changeable_flags() const;
    friend constexpr bool operator==(Rights, Rights) = default;

private:
    std::uint16_t bits_ = 0;
};

// One line of a mailbox's access list. What somebody may do is what the lines for him and for anyone grant
// together, less what the negative lines for him and for anyone take away (RFC 4314, 2).
struct AclEntry {
    AccountId who;  // zero: anyone
    bool negative = false;
    Rights rights;
    friend constexpr bool operator==(const AclEntry&, const AclEntry&) = default;
};
inline constexpr AccountId kAnyone{};
inline constexpr std::size_t kMaxAclEntries = 500;  // of one mailbox

constexpr Rights operator|(Rights a, Rights b) {
    return a.with(b);
}
constexpr Rights operator|(Right a, Right b) {
    return Rights(a).with(b);
}

}  // namespace mailstead::store
