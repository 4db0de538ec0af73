// The journal's control block: where recovery starts, and whether there is anything to recover. Two copies,
// written in turn, so that a torn write leaves the one before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailstead::commit {

// A place in the journal. Segments are numbered through; `sequence` is that of the frame which begins (or
// will begin) there.
struct Position {
    std::uint64_t segment = 1;
    std::uint64_t offset = 4096;
    std::uint64_t sequence = 1;
    friend bool operator==(const Position&, const Position&) = default;
};

struct ControlBlock {
    std::uint64_t generation = 0;
    std::uint64_t seed = 0;  // random, of this journal: no bytes from outside can look like a frame
    std::uint64_t segment_size = 0;
    std::uint64_t next_batch = 1;  // batch numbers from here on are unused as of `start`
    Position start;
    std::string boot_id;
    // A sync failed: whatever was written since the checkpoint may be missing on disk though the boot is the
    // same.
    bool suspect = false;
    bool clean = false;       // the engine was stopped, and nothing was appended since
    bool recovering = false;  // a recovery has begun and not ended: environments may be anything
    // The highest number that a segment had, and how many files there are; 0: not said (an earlier version).
    // What is missing of them is damage.
    std::uint64_t newest_segment = 0;
    std::uint64_t segment_files = 0;
};

// One copy, a block of 4096 bytes.
std::string encode_control_block(const ControlBlock& control);
std::optional<ControlBlock> decode_control_block(std::string_view block);

// The newest valid copy in a control file's 8192 bytes.
std::optional<ControlBlock> newest_control_block(std::string_view file);

}  // namespace mailstead::commit
