// Numbers that must not be mixed up, each a type of its own.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace mailstead {

// A number of kind Tag. Zero means "none" where a kind allows none.
template <class Tag, class Number>
struct Id {
    using value_type = Number;
    Number value = 0;

    constexpr Id() = default;
    constexpr explicit Id(Number n) : value(n) {}
    constexpr explicit operator bool() const { return value != 0; }
    friend constexpr auto operator<=>(Id, Id) = default;
    constexpr Id next() const { return Id(static_cast<Number>(value + 1)); }
};

using AccountId = Id<struct AccountIdTag, std::uint32_t>;  // in the directory; never reused
using MailboxId =
    Id<struct MailboxIdTag, std::uint32_t>;  // within one account; never reused; survives RENAME
using MessageId =
    Id<struct MessageIdTag, std::uint64_t>;  // within one account: one stored message (RFC 8474 EMAILID)
using ThreadId = Id<struct ThreadIdTag, std::uint64_t>;        // within one account (RFC 8474 THREADID)
using Uid = Id<struct UidTag, std::uint32_t>;                  // RFC 9051, 2.3.1.1
using UidValidity = Id<struct UidValidityTag, std::uint32_t>;  // RFC 9051, 2.3.1.1
using ModSeq = Id<struct ModSeqTag, std::uint64_t>;            // RFC 7162, 63 bits on the wire
using QueueId = Id<struct QueueIdTag, std::uint64_t>;          // one message in the outbound queue

}  // namespace mailstead

template <class Tag, class Number>
struct std::hash<mailstead::Id<Tag, Number>> {
    std::size_t operator()(mailstead::Id<Tag, Number> id) const noexcept {
        return std::hash<Number>{}(id.value);
    }
};
