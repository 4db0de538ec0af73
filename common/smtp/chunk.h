// The bytes after BDAT: counted chunks that together are one message (RFC 3030, 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/smtp/data_decoder.h"

namespace mailstead::smtp {

// One message. Bare CR and LF are refused as in DATA, since we pass messages on with DATA; a CR at the end of
// one chunk may meet its LF in the next. After a fault the octets announced are still read, so that the
// session stays in sync.
class ChunkDecoder {
public:
    explicit ChunkDecoder(BodyLimits limits = {}) : check_(limits) {}

    // A BDAT command was read. The previous chunk is complete.
    void begin_chunk(std::uint64_t octets, bool last);
    // Consumes from `in` what belongs to the current chunk, appends it to `out` (nothing after a fault),
    // returns how much that was.
    std::size_t feed(std::string_view in, std::string& out);
    bool chunk_complete() const { return remaining_ == 0; }
    // The last chunk is complete. If the message did not end with CRLF, feed() or begin_chunk() has seen to
    // it that `fault()` says so for a dangling CR; a missing final CRLF is added by finish().
    bool done() const { return last_ && remaining_ == 0; }
    // Call once when done(): closes the last line in `out`.
    void finish(std::string& out);
    std::optional<BodyFault> fault() const { return check_.fault(); }
    std::uint64_t octets() const { return check_.octets(); }

private:
    std::size_t take_run(std::string_view rest, std::string& out);

    BodyChecker check_;
    std::uint64_t remaining_ = 0;
    bool last_ = false;
    bool pending_cr_ = false;
    bool at_line_start_ = true;
};

}  // namespace mailstead::smtp
