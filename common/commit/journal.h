// The journal: frames in preallocated segments, each frame durable with one write. docs/architecture.md, "One
// writer, one journal".
//
// A segment is a file of fixed size, zero-written once, so that a flush moves data alone. Its first block
// names its number; frames follow, each on a block boundary: header {magic, sequence, segment, offset,
// payload size, checksum} and payload. The checksum is seeded with the journal's random seed and covers
// sequence and place, so bytes of a segment's former life never parse as a frame.
//
// Owned by one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/commit/control_block.h"
#include "common/commit/engine.h"
#include "common/commit/file_layer.h"
#include "common/commit/frame_buffer.h"

namespace mailstead::commit {

class Journal {
public:
    struct Options {
        std::filesystem::path directory;
        std::uint64_t segment_size = 32u << 20;
        std::size_t max_segments = 16;
        bool read_only = false;   // for inspection: nothing is created or written
        bool expected = false;    // environments exist: a journal that is missing is damage
        bool start_anew = false;  // the operator accepts that the control block is lost
    };

    // Opens the journal; creates it where there is none and none is `expected`. Fault::damaged: the control
    // block is missing or damaged.
    static Result<std::unique_ptr<Journal>> open(FileLayer& files, const Options& options);
    ~Journal();

    // As the last process left it.
    const ControlBlock& control() const { return control_; }

    // Gives every frame from the start position on, in order. A frame at the end that was never whole ends
    // it; whatever else cannot be read is told, and the reading goes on with the next frame that is whole. To
    // be called once, before append().
    using FrameVisitor = std::function<void(std::string payload)>;
    Result<void> scan(const FrameVisitor& on_frame, std::vector<JournalDamage>& damage);
    // The same frames again, while it is in use: all up to end().
    Result<void> read_again(const FrameVisitor& on_frame);

    // Copies the damaged segments into `folder`, and goes on in a segment of its own.
    Result<void> put_aside(const std::filesystem::path& folder, const std::vector<JournalDamage>& damage);
    // Makes what is missing or too short of the files. Once nothing in them is needed.
    Result<void> renew_segments();

    // Whether a frame with this payload can be written before the start position moves on, and whether it
    // ever can.
    bool has_room(std::size_t payload_size) const;
    std::size_t max_payload() const { return segment_size_ - kBlock - kFrameHeader - kBlock; }

    // One frame, durable on return. After an error nothing was appended.
    Result<void> append(FrameBuffer& frame);

    // Where the next frame will be.
    Position end() const { return end_; }
    std::uint64_t bytes_since_start() const;

    // Writes the control block: recovery starts at `start`, the segments before it are free.
    Result<void> set_start(const Position& start, std::uint64_t next_batch);
    // The next start must not trust the files, whatever the boot id.
    Result<void> mark_suspect();
    // Environments are about to be returned to the checkpoint; set_start() ends that.
    Result<void> mark_recovering();
    // Everything is at rest. The next append() takes it back first.
    Result<void> mark_clean();

private:
    struct Segment {
        std::filesystem::path path;
        FileDescriptor descriptor;
        std::uint64_t number = 0;  // 0: free
        std::uint64_t size = 0;
        std::string problem;  // why it cannot be used
    };
    enum class Frame { whole, none, unreadable };

    Journal(FileLayer& files, Options options) : files_(files), options_(std::move(options)) {}
    Result<void> load();
    Result<void> begin(bool is_missing);
    Result<void> create_control();
    Result<void> open_segments();
    Segment open_segment(std::size_t index, int& code);
    std::uint64_t number_by_first_frame(int fd);
    Result<Position> scan_from(Position at, const FrameVisitor& on_frame, std::string& problem);
    Result<void> write_control();
    Result<Segment> make_segment(std::size_t index) const;
    Result<Segment*> segment_for_next_frame(std::size_t frame_size);
    Result<Segment*> take_free_segment(std::uint64_t number);
    void note_segment();
    void start_spare();
    Segment* find(std::uint64_t number);
    bool is_free(const Segment& segment) const;
    void fill_headers(FrameBuffer& frame) const;
    Frame read_frame(int fd, const Position& at, std::string& payload, std::uint64_t& frame_size,
                     std::string& problem);
    std::optional<Position> frame_after(const Position& at, std::vector<JournalDamage>& damage);
    std::optional<Position> first_in(const Segment& segment, const Position& after,
                                     std::vector<JournalDamage>& damage);
    void check_segments(std::vector<JournalDamage>& damage);

    FileLayer& files_;
    Options options_;
    std::uint64_t segment_size_ = 0;
    ControlBlock control_;
    FileDescriptor control_file_;
    std::vector<Segment> segments_;
    std::future<Result<Segment>> spare_;
    Position end_;
    bool is_incomplete_ = false;  // a segment that was in use is not there
    bool new_segment_ = false;    // the header of end_.segment is yet to be written
};

}  // namespace mailstead::commit
