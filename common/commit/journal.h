// The journal: frames in preallocated segments, each frame durable with one write. docs/architecture.md, "One
// writer, one journal".
//
// A segment is a file of fixed size, zero-written once, so that a flush moves data alone. Its first block
// names its number; frames follow, each on a block boundary: header {magic, sequence, segment, payload size,
// checksum} and payload. The checksum is seeded with the journal's random seed and covers sequence and
// segment, so bytes of a segment's former life never parse as a frame.
//
// Owned by one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/commit/control_block.h"
#include "common/commit/file_layer.h"
#include "common/commit/frame_buffer.h"

namespace mailstead::commit {

class Journal {
public:
    struct Options {
        std::filesystem::path directory;
        std::uint64_t segment_size = 32u << 20;
        std::size_t max_segments = 16;
    };

    // Opens the journal, creating it when there is none.
    static Result<std::unique_ptr<Journal>> open(FileLayer& files, const Options& options);
    ~Journal();

    // As the last process left it.
    const ControlBlock& control() const { return control_; }

    // Gives every frame from the start position on, in order, and stops at the first that is not whole. To be
    // called once, before append().
    Result<void> scan(const std::function<void(std::string payload)>& on_frame);

    // Whether a frame with this payload can be written before the start position moves on, and whether it
    // ever can.
    bool has_room(std::size_t payload_size) const;
    std::size_t max_payload() const { return segment_size_ - kBlock - kFrameHeader - kBlock; }

    // One frame, durable on return. After an error nothing was appended.
    Result<void> append(FrameBuffer& frame);

    // Where the next frame will be.
    Position end() const { return end_; }
    std::uint64_t bytes_since_start() const;
    // Bytes left before the last free segment is full, and all together.
    std::uint64_t capacity() const { return options_.max_segments * segment_size_; }

    // Writes the control block: recovery starts at `start`, the segments before it are free.
    Result<void> set_start(const Position& start, std::uint64_t next_batch);
    // The next start must not trust the files, whatever the boot id.
    Result<void> mark_suspect();

private:
    struct Segment {
        std::filesystem::path path;
        FileDescriptor descriptor;
        std::uint64_t number = 0;  // 0: free
    };

    Journal(FileLayer& files, Options options) : files_(files), options_(std::move(options)) {}
    Result<void> load();
    Result<void> create_control();
    Result<void> open_segments();
    Result<void> write_control();
    Result<Segment> make_segment(std::size_t index) const;
    Result<Segment*> segment_for_next_frame(std::size_t frame_size);
    Result<Segment*> take_free_segment(std::uint64_t number);
    void start_spare();
    Segment* find(std::uint64_t number);
    bool is_free(const Segment& segment) const;
    void fill_headers(FrameBuffer& frame) const;
    bool read_frame(int fd, const Position& at, std::string& payload, std::uint64_t& frame_size);

    FileLayer& files_;
    Options options_;
    std::uint64_t segment_size_ = 0;
    ControlBlock control_;
    FileDescriptor control_file_;
    std::vector<Segment> segments_;
    std::future<Result<Segment>> spare_;
    Position end_;
    bool new_segment_ = false;  // the header of end_.segment is yet to be written
};

}  // namespace mailstead::commit
