#include "common/commit/journal.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/commit/checksum.h"

namespace mailstead::commit {
namespace {

constexpr std::string_view kSegmentMagic = "MSSEGM01";
constexpr std::string_view kFrameMagic = "MSFRAM01";
constexpr std::size_t kReadChunk = std::size_t{1} << 20;

Error failure(std::string_view doing, const std::filesystem::path& path, int code) {
    return transient_error("journal: " + std::string(doing) + " " + path.string() + ": " + errno_text(code));
}

std::string segment_header(std::uint64_t seed, std::uint64_t number) {
    ByteWriter out;
    out.raw(kSegmentMagic);
    out.fixed64(number);
    out.fixed64(checksum(out.bytes(), seed));
    return out.take();
}

// 0 when the block is no header of this journal.
std::uint64_t segment_number(std::string_view block, std::uint64_t seed) {
    ByteReader in(block);
    if (in.raw(kSegmentMagic.size()) != kSegmentMagic) return 0;
    const std::uint64_t number = in.fixed64();
    return in.ok() && block.starts_with(segment_header(seed, number)) ? number : 0;
}

// Everything of the header but the checksum, which covers it and the payload.
std::string frame_fields(const Position& at, std::uint64_t payload_size) {
    ByteWriter out;
    out.raw(kFrameMagic);
    out.fixed64(at.sequence);
    out.fixed64(at.segment);
    out.fixed64(at.offset);
    out.fixed64(payload_size);
    return out.take();
}

std::uint64_t frame_checksum(std::string_view fields, std::string_view payload, std::uint64_t seed) {
    return checksum(payload, checksum(fields, seed));
}

int open_for_writing(FileLayer& files, const std::filesystem::path& path, int flags, FileDescriptor& opened) {
    // Direct I/O spares copying each batch into the page cache; not every file system has it.
    const int direct = files.open(path, flags | O_DIRECT, 0600, opened);
    return direct == EINVAL ? files.open(path, flags, 0600, opened) : direct;
}

}  // namespace

Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(FileLayer& files, const Options& options) {
    std::unique_ptr<Journal> journal(new Journal(files, options));
    TRY_VOID(journal->load());
    return journal;
}

Result<void> Journal::load() {
    const auto& directory = options_.directory;
    if (const int rc = make_directories(files_, directory)) return failure("create", directory, rc);
    const auto path = directory / "control";
    // imapd looks into it before it opens an index (recovered_since_boot).
    if (const int rc = files_.open(path, O_RDWR | O_CREAT, 0640, control_file_))
        return failure("open", path, rc);
    std::string bytes;
    if (const int rc = files_.read(control_file_.get(), 0, 2 * kBlock, bytes))
        return failure("read", path, rc);
    if (auto control = newest_control_block(bytes)) {
        control_ = std::move(*control);
    } else {
        TRY_VOID(create_control());
    }
    segment_size_ = control_.segment_size;
    if (segment_size_ < 4 * kBlock || segment_size_ % kBlock != 0 ||
        segment_size_ > (std::uint64_t{1} << 32)) {
        return permanent_error("journal: control block names an impossible segment size");
    }
    end_ = control_.start;
    return open_segments();
}

Result<void> Journal::create_control() {
    control_ = ControlBlock();
    const std::string seed = random_bytes(8);
    control_.seed = ByteReader(seed).fixed64();
    control_.segment_size = std::max<std::uint64_t>(options_.segment_size / kBlock * kBlock, 16 * kBlock);
    control_.boot_id = files_.boot_id();
    TRY_VOID(write_control());
    TRY_VOID(write_control());  // both copies
    FileDescriptor folder;
    if (const int rc = files_.open(options_.directory, O_RDONLY | O_DIRECTORY, 0, folder)) {
        return failure("open", options_.directory, rc);
    }
    if (const int rc = files_.flush(folder.get())) return failure("sync", options_.directory, rc);
    return {};
}

Result<void> Journal::write_control() {
    ControlBlock next = control_;
    ++next.generation;
    const std::string block = encode_control_block(next);
    if (const int rc = files_.write_durably(control_file_.get(), block, next.generation % 2 * kBlock)) {
        return failure("write", options_.directory / "control", rc);
    }
    control_ = std::move(next);
    return {};
}

Result<void> Journal::open_segments() {
    for (std::size_t index = 0; index < options_.max_segments; ++index) {
        Segment segment;
        segment.path = options_.directory / ("segment-" + std::to_string(index));
        const int rc = open_for_writing(files_, segment.path, O_RDWR, segment.descriptor);
        if (rc == ENOENT) break;
        if (rc != 0) return failure("open", segment.path, rc);
        std::uint64_t size = 0;
        if (const int failed = files_.size_of(segment.descriptor.get(), size))
            return failure("read", segment.path, failed);
        if (size != segment_size_) break;  // its making was cut short
        FileDescriptor reader;
        std::string block;
        if (const int failed = files_.open(segment.path, O_RDONLY, 0, reader))
            return failure("open", segment.path, failed);
        if (const int failed = files_.read(reader.get(), 0, kBlock, block))
            return failure("read", segment.path, failed);
        segment.number = segment_number(block, control_.seed);
        segments_.push_back(std::move(segment));
    }
    while (segments_.size() < std::min<std::size_t>(2, options_.max_segments)) {
        TRY(made, make_segment(segments_.size()));
        segments_.push_back(std::move(made));
    }
    return {};
}

Result<Journal::Segment> Journal::make_segment(std::size_t index) const {
    Segment segment;
    segment.path = options_.directory / ("segment-" + std::to_string(index));
    FileDescriptor writer;
    if (const int rc = files_.open(segment.path, O_RDWR | O_CREAT | O_TRUNC, 0600, writer))
        return failure("create", segment.path, rc);
    const std::string zeros(std::min<std::uint64_t>(segment_size_, kReadChunk), '\0');
    for (std::uint64_t at = 0; at < segment_size_; at += zeros.size()) {
        const auto size = std::min<std::uint64_t>(zeros.size(), segment_size_ - at);
        const int rc = files_.write(writer.get(), std::string_view(zeros).substr(0, size), at);
        if (rc != 0) {
            files_.remove(segment.path);
            return failure("write", segment.path, rc);
        }
    }
    FileDescriptor folder;
    int rc = files_.flush(writer.get());
    if (rc == 0) rc = files_.open(options_.directory, O_RDONLY | O_DIRECTORY, 0, folder);
    if (rc == 0) rc = files_.flush(folder.get());
    if (rc == 0) rc = open_for_writing(files_, segment.path, O_RDWR, segment.descriptor);
    if (rc != 0) return failure("create", segment.path, rc);
    return segment;
}

Journal::Segment* Journal::find(std::uint64_t number) {
    for (Segment& segment : segments_) {
        if (segment.number == number && number != 0) return &segment;
    }
    return nullptr;
}

bool Journal::is_free(const Segment& segment) const {
    return segment.number < control_.start.segment || segment.number > end_.segment;
}

Result<void> Journal::scan(const std::function<void(std::string)>& on_frame) {
    Position at = control_.start;
    for (Segment* segment = find(at.segment); segment != nullptr; segment = find(at.segment)) {
        FileDescriptor reader;
        if (const int rc = files_.open(segment->path, O_RDONLY, 0, reader))
            return failure("open", segment->path, rc);
        std::string payload;
        std::uint64_t size = 0;
        while (read_frame(reader.get(), at, payload, size)) {
            on_frame(std::move(payload));
            at.offset += size;
            ++at.sequence;
            end_ = at;
        }
        // The frame may be the first of the next segment, when it did not fit here.
        Position next{at.segment + 1, kBlock, at.sequence};
        Segment* following = find(next.segment);
        if (following == nullptr) break;
        FileDescriptor probe;
        if (files_.open(following->path, O_RDONLY, 0, probe) != 0 ||
            !read_frame(probe.get(), next, payload, size))
            break;
        at = next;
    }
    new_segment_ = find(end_.segment) == nullptr;
    return {};
}

bool Journal::read_frame(int fd, const Position& at, std::string& payload, std::uint64_t& frame_size) {
    if (at.offset + kBlock > segment_size_) return false;
    std::string header;
    if (files_.read(fd, at.offset, kFrameHeader, header) != 0 || header.size() != kFrameHeader) return false;
    ByteReader in(std::string_view(header).substr(frame_fields(at, 0).size() - 8));
    const std::uint64_t size = in.fixed64();
    const std::uint64_t sum = in.fixed64();
    if (size > segment_size_ - at.offset - kFrameHeader) return false;
    const std::string fields = frame_fields(at, size);
    if (!std::string_view(header).starts_with(fields)) return false;
    if (files_.read(fd, at.offset + kFrameHeader, size, payload) != 0 || payload.size() != size) return false;
    frame_size = FrameBuffer::frame_size(size);
    return sum == frame_checksum(fields, payload, control_.seed);
}

bool Journal::has_room(std::size_t payload_size) const {
    const std::size_t size = FrameBuffer::frame_size(payload_size);
    if (end_.offset + size <= segment_size_) return true;
    if (kBlock + size > segment_size_) return false;
    if (segments_.size() < options_.max_segments) return true;
    return std::any_of(segments_.begin(), segments_.end(), [&](const Segment& s) { return is_free(s); });
}

void Journal::start_spare() {
    if (spare_.valid() || segments_.size() >= options_.max_segments) return;
    if (std::any_of(segments_.begin(), segments_.end(), [&](const Segment& s) { return is_free(s); })) return;
    spare_ = std::async(std::launch::async, [this, index = segments_.size()] { return make_segment(index); });
}

Result<Journal::Segment*> Journal::take_free_segment(std::uint64_t number) {
    // Its header may be on disk already, from an append that failed or was cut short: no second file may get
    // the same number.
    if (Segment* begun = find(number)) return begun;
    for (Segment& segment : segments_) {
        if (is_free(segment)) return &segment;
    }
    if (segments_.size() >= options_.max_segments)
        return transient_error("journal: full until the next checkpoint");
    Result<Segment> made = spare_.valid() ? spare_.get() : make_segment(segments_.size());
    if (!made) return made.error();
    segments_.push_back(std::move(*made));
    return &segments_.back();
}

Result<Journal::Segment*> Journal::segment_for_next_frame(std::size_t frame_size) {
    if (end_.offset + frame_size <= segment_size_) {
        if (Segment* current = find(end_.segment)) return current;
        TRY(first, take_free_segment(end_.segment));
        first->number = end_.segment;
        new_segment_ = true;
        return first;
    }
    TRY(next, take_free_segment(end_.segment + 1));
    end_ = Position{end_.segment + 1, kBlock, end_.sequence};
    next->number = end_.segment;
    new_segment_ = true;
    return next;
}

void Journal::fill_headers(FrameBuffer& frame) const {
    const std::string fields = frame_fields(end_, frame.payload_size());
    ByteWriter sum;
    sum.fixed64(frame_checksum(fields, frame.payload(), control_.seed));
    std::memcpy(frame.frame_header(), fields.data(), fields.size());
    std::memcpy(frame.frame_header() + fields.size(), sum.bytes().data(), sum.bytes().size());
    static_assert(kFrameHeader == 48);
    const std::string header = segment_header(control_.seed, end_.segment);
    std::memcpy(frame.segment_header(), header.data(), header.size());
}

Result<void> Journal::append(FrameBuffer& frame) {
    if (frame.payload_size() > max_payload()) return permanent_error("journal: frame too large");
    const std::size_t size = FrameBuffer::frame_size(frame.payload_size());
    TRY(segment, segment_for_next_frame(size));
    fill_headers(frame);
    const std::string_view bytes = frame.frame(new_segment_);
    const std::uint64_t at = new_segment_ ? 0 : end_.offset;
    if (const int rc = files_.write_durably(segment->descriptor.get(), bytes, at)) {
        // Part or all of it may be on disk: spoil its header, so that nobody finds a frame whose writer was
        // told that it failed.
        std::memset(frame.frame_header(), 0, kFrameHeader);
        (void)files_.write_durably(segment->descriptor.get(), frame.frame(false).substr(0, kBlock),
                                   end_.offset);
        return failure("write", segment->path, rc);
    }
    new_segment_ = false;
    end_.offset += size;
    ++end_.sequence;
    if (end_.offset > segment_size_ / 2) start_spare();
    return {};
}

std::uint64_t Journal::bytes_since_start() const {
    const Position& start = control_.start;
    return (end_.segment - start.segment) * segment_size_ + end_.offset - start.offset;
}

Result<void> Journal::set_start(const Position& start, std::uint64_t next_batch) {
    const ControlBlock before = control_;
    control_.start = start;
    control_.next_batch = next_batch;
    control_.boot_id = files_.boot_id();
    control_.suspect = false;
    Result<void> written = write_control();
    if (!written) control_ = before;
    return written;
}

Result<void> Journal::mark_suspect() {
    control_.suspect = true;
    return write_control();
}

}  // namespace mailstead::commit
