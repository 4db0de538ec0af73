// The bytes of one message while it arrives: in memory while small, else its body in a nameless file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "smtpd/policy/cut.h"
#include "smtpd/session/spool.h"

namespace mailstead::smtpd {

// The header section stays in memory whatever its size (it is bounded by BodyLimits). One owner; not
// thread-safe.
class Body {
public:
    static constexpr std::size_t kSpillAt = 256u << 10;  // octets of body in memory
    static constexpr std::size_t kFirstShare = 16u << 10;
    static constexpr std::size_t kMostAnnounced =
        64u << 10;  // taken on the client's word; more comes with the bytes

    // Both must outlive it.
    Body(const Spool& spool, MemoryBudget& budget) : spool_(spool), share_(budget) {}

    // Takes the first memory; false: the budget is spent. `expected` octets, as far as known.
    bool open(std::optional<std::uint64_t> expected);

    // Decoders append here; then look() and settle().
    std::string& memory() { return memory_; }
    // Finds the end of the header section in what was appended.
    void look();
    bool header_complete() const { return header_size_.has_value(); }
    // The message is over: without a blank line it is all header.
    void end();
    // The header section with its blank line. Requires header_complete(). Valid until memory() changes.
    std::string_view header() const { return std::string_view(memory_).substr(0, *header_size_); }
    // Whether the message begins with a line that is no header field, so that all of it is body.
    bool headerless() const { return headerless_; }
    // The octets of the body that were not taken yet.
    std::string_view take_body();
    // Moves the body to disk if memory is short.
    Result<void, SpoolError> settle();

    std::uint64_t size() const { return spilled_ + memory_.size(); }

    // The final message from offset 0 of a new nameless file, or memory of that kind: `front`, the header
    // without `cuts` (in order, not overlapping), the body. One system call beside the opening for a message
    // in memory.
    Result<FileDescriptor, SpoolError> write(std::string_view front, std::span<const Cut> cuts) const;

private:
    Result<void, SpoolError> spill();

    const Spool& spool_;
    MemoryShare share_;
    std::string memory_;   // header, and what is not on disk of the body
    FileDescriptor file_;  // the first octets of the body
    std::uint64_t spilled_ = 0;
    std::optional<std::size_t> header_size_;
    bool headerless_ = false;
    std::size_t looked_ = 0;
    std::size_t taken_ = 0;
};

}  // namespace mailstead::smtpd
