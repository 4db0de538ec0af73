#include "common/commit/journal.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
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

// The place that a frame's header names; nullopt: no header.
std::optional<Position> position_in(std::string_view header) {
    ByteReader in(header);
    if (in.raw(kFrameMagic.size()) != kFrameMagic) return std::nullopt;
    Position at;
    at.sequence = in.fixed64();
    at.segment = in.fixed64();
    at.offset = in.fixed64();
    if (!in.ok()) return std::nullopt;
    return at;
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
    const auto path = directory / "control";
    if (!options_.read_only) {
        if (const int rc = make_directories(files_, directory)) return failure("create", directory, rc);
    }
    std::string bytes;
    int rc = files_.open(path, options_.read_only ? O_RDONLY : O_RDWR, 0, control_file_);
    if (rc == 0) rc = files_.read(control_file_.get(), 0, 2 * kBlock, bytes);
    if (rc != 0 && rc != ENOENT) return failure("read", path, rc);
    if (auto control = newest_control_block(bytes)) {
        control_ = std::move(*control);
    } else {
        TRY_VOID(begin(rc == ENOENT));
    }
    segment_size_ = control_.segment_size;
    if (segment_size_ < 4 * kBlock || segment_size_ % kBlock != 0 ||
        segment_size_ > (std::uint64_t{1} << 32)) {
        return permanent_error("journal: control block names an impossible segment size", Fault::damaged);
    }
    end_ = control_.start;
    return open_segments();
}

// Without a control block nobody can say where recovery starts: that is a new journal only where there is
// nothing to recover.
Result<void> Journal::begin(bool is_missing) {
    const auto path = options_.directory / "control";
    std::vector<std::string> names;
    files_.list(options_.directory, names);
    const bool has_segments = std::any_of(names.begin(), names.end(),
                                          [](const std::string& n) { return n.starts_with("segment-"); });
    if ((has_segments || options_.expected) && !options_.start_anew) {
        return permanent_error(path.string() + (is_missing ? " is missing" : " is damaged") +
                                   ": where recovery has to start is lost, and what was accepted since the "
                                   "last checkpoint may be missing or torn in every account",
                               Fault::damaged);
    }
    if (options_.read_only) return transient_error("there is no journal in " + options_.directory.string());
    const auto aside = options_.directory / ("damaged-" + std::to_string(now().time_since_epoch().count()));
    for (const std::string& name : names) {
        if (name != "control" && !name.starts_with("segment-")) continue;
        if (const int rc = make_directories(files_, aside)) return failure("create", aside, rc);
        if (const int rc = files_.rename(options_.directory / name, aside / name))
            return failure("put aside", options_.directory / name, rc);
    }
    // imapd looks into it before it opens an index (is_recovered).
    if (const int rc = files_.open(path, O_RDWR | O_CREAT, 0640, control_file_))
        return failure("open", path, rc);
    return create_control();
}

Result<void> Journal::create_control() {
    control_ = ControlBlock();
    const std::string seed = random_bytes(8);
    control_.seed = ByteReader(seed).fixed64();
    control_.segment_size = std::max<std::uint64_t>(options_.segment_size / kBlock * kBlock, 16 * kBlock);
    control_.boot_id = files_.boot_id();
    control_.clean = true;
    TRY_VOID(write_control());
    TRY_VOID(write_control());  // both copies
    if (const int rc = flush_folder(files_, options_.directory))
        return failure("sync", options_.directory, rc);
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

Journal::Segment Journal::open_segment(std::size_t index, int& code) {
    Segment segment;
    segment.path = options_.directory / ("segment-" + std::to_string(index));
    FileDescriptor reader;
    code = files_.open(segment.path, O_RDONLY, 0, reader);
    if (code == 0 && !options_.read_only)
        code = open_for_writing(files_, segment.path, O_RDWR, segment.descriptor);
    if (code == 0) code = files_.size_of(reader.get(), segment.size);
    if (code != 0) return segment;
    std::string block;
    if (const int rc = files_.read(reader.get(), 0, kBlock, block)) {
        segment.problem = "cannot be read: " + errno_text(rc);
        return segment;
    }
    segment.number = segment_number(block, control_.seed);
    if (segment.number == 0) segment.number = number_by_first_frame(reader.get());
    if (segment.size != segment_size_)
        segment.problem =
            "has " + std::to_string(segment.size) + " bytes instead of " + std::to_string(segment_size_);
    return segment;
}

// Header and first frame are one write, of which a power cut may have let the frame through alone.
std::uint64_t Journal::number_by_first_frame(int fd) {
    std::string header;
    if (files_.read(fd, kBlock, kFrameHeader, header) != 0 || header.size() != kFrameHeader) return 0;
    const auto at = position_in(header);
    if (!at || at->offset != kBlock) return 0;
    std::string payload;
    std::string problem;
    std::uint64_t size = 0;
    return read_frame(fd, *at, payload, size, problem) == Frame::whole ? at->segment : 0;
}

Result<void> Journal::open_segments() {
    for (std::size_t index = 0; index < options_.max_segments || index < control_.segment_files; ++index) {
        int code = 0;
        Segment segment = open_segment(index, code);
        if (code == ENOENT && index >= control_.segment_files) break;
        if (code == ENOENT) {
            segment.problem = "is missing";
        } else if (code != 0) {
            return failure("open", segment.path, code);
        }
        segments_.push_back(std::move(segment));
    }
    return {};
}

Result<void> Journal::renew_segments() {
    for (std::size_t index = 0; index < segments_.size(); ++index) {
        if (segments_[index].problem.empty()) continue;
        TRY(made, make_segment(index));
        segments_[index] = std::move(made);
    }
    while (segments_.size() < std::min<std::size_t>(2, options_.max_segments)) {
        TRY(made, make_segment(segments_.size()));
        segments_.push_back(std::move(made));
    }
    return {};
}

Result<void> Journal::put_aside(const std::filesystem::path& folder,
                                const std::vector<JournalDamage>& damage) {
    if (const int rc = make_directories(files_, folder)) return failure("create", folder, rc);
    for (const Segment& segment : segments_) {
        const bool is_damaged = std::any_of(damage.begin(), damage.end(),
                                            [&](const JournalDamage& d) { return d.file == segment.path; });
        FileDescriptor from;
        if (!is_damaged || files_.open(segment.path, O_RDONLY, 0, from) != 0) continue;
        FileDescriptor to;
        const auto path = folder / segment.path.filename();
        if (const int rc = files_.open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, to))
            return failure("create", path, rc);
        std::string bytes;
        for (std::uint64_t at = 0; at < segment.size; at += kReadChunk) {
            // What cannot be read stays zeros in the copy.
            if (files_.read(from.get(), at, kReadChunk, bytes) != 0) continue;
            if (const int rc = files_.write(to.get(), bytes, at)) return failure("write", path, rc);
        }
        if (const int rc = files_.flush(to.get())) return failure("sync", path, rc);
    }
    end_ = Position{std::max(end_.segment, control_.newest_segment) + 1, kBlock, end_.sequence + 1};
    new_segment_ = true;
    return {};
}

Result<Journal::Segment> Journal::make_segment(std::size_t index) const {
    Segment segment;
    segment.path = options_.directory / ("segment-" + std::to_string(index));
    segment.size = segment_size_;
    // Under another name until it is whole: a short segment is damage.
    const std::filesystem::path unfinished = segment.path.string() + ".new";
    FileDescriptor writer;
    if (const int rc = files_.open(unfinished, O_RDWR | O_CREAT | O_TRUNC, 0600, writer))
        return failure("create", unfinished, rc);
    const std::string zeros(std::min<std::uint64_t>(segment_size_, kReadChunk), '\0');
    for (std::uint64_t at = 0; at < segment_size_; at += zeros.size()) {
        const auto size = std::min<std::uint64_t>(zeros.size(), segment_size_ - at);
        const int rc = files_.write(writer.get(), std::string_view(zeros).substr(0, size), at);
        if (rc != 0) {
            files_.remove(unfinished);
            return failure("write", unfinished, rc);
        }
    }
    int rc = files_.flush(writer.get());
    if (rc == 0) rc = files_.rename(unfinished, segment.path);
    if (rc == 0) rc = flush_folder(files_, options_.directory);
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
    return segment.problem.empty() &&
           (segment.number < control_.start.segment || segment.number > end_.segment);
}

// Segments that must be there and are not.
void Journal::check_segments(std::vector<JournalDamage>& damage) {
    const Position& start = control_.start;
    const std::uint64_t newest =
        control_.newest_segment != 0 || start.offset == kBlock ? control_.newest_segment : start.segment;
    for (std::uint64_t number = start.segment; number <= newest; ++number) {
        if (const Segment* segment = find(number)) {
            if (!segment->problem.empty()) damage.push_back({segment->path, segment->size, segment->problem});
            continue;
        }
        is_incomplete_ = true;
        const auto lost =
            std::find_if(segments_.begin(), segments_.end(), [](const Segment& s) { return s.number == 0; });
        const auto path = lost == segments_.end() ? options_.directory / "segment" : lost->path;
        const bool has_reason = lost != segments_.end() && !lost->problem.empty();
        damage.push_back({path, 0,
                          has_reason ? lost->problem
                                     : "segment " + std::to_string(number) + " of the journal is not there"});
    }
}

Result<void> Journal::scan(const FrameVisitor& on_frame, std::vector<JournalDamage>& damage) {
    check_segments(damage);
    for (std::optional<Position> from = control_.start; from;) {
        std::string problem;
        TRY(ended, scan_from(*from, on_frame, problem));
        const Segment* segment = find(ended.segment);
        const auto path = segment != nullptr ? segment->path : options_.directory;
        if (!problem.empty()) damage.push_back({path, ended.offset, problem});
        from = frame_after(ended, damage);
        if (from && problem.empty())
            damage.push_back({path, ended.offset,
                              "what was written here is not whole, though later writes are (" +
                                  std::to_string(from->sequence - ended.sequence) + " frames)"});
    }
    new_segment_ = find(end_.segment) == nullptr;
    return {};
}

// As far as frames are whole; answers where they are not.
Result<Position> Journal::scan_from(Position at, const FrameVisitor& on_frame, std::string& problem) {
    for (Segment* segment = find(at.segment); segment != nullptr; segment = find(at.segment)) {
        FileDescriptor reader;
        if (const int rc = files_.open(segment->path, O_RDONLY, 0, reader))
            return failure("open", segment->path, rc);
        std::string payload;
        std::uint64_t size = 0;
        while (read_frame(reader.get(), at, payload, size, problem) == Frame::whole) {
            on_frame(std::move(payload));
            at.offset += size;
            ++at.sequence;
            end_ = at;
        }
        // The frame may be the first of the next segment, when it did not fit here.
        const Position next{at.segment + 1, kBlock, at.sequence};
        Segment* following = find(next.segment);
        if (following == nullptr) break;
        FileDescriptor probe;
        if (const int rc = files_.open(following->path, O_RDONLY, 0, probe))
            return failure("open", following->path, rc);
        std::string ignored;
        if (read_frame(probe.get(), next, payload, size, ignored) != Frame::whole) break;
        problem.clear();
        at = next;
    }
    return at;
}

// The first whole frame beyond a place where there should have been one. None: what is there was never
// answered to anyone.
std::optional<Position> Journal::frame_after(const Position& at, std::vector<JournalDamage>& damage) {
    std::optional<Position> first;
    for (const Segment& segment : segments_) {
        const bool may_have = segment.number == 0 ? is_incomplete_ || control_.newest_segment == 0
                                                  : segment.number >= at.segment;
        if (!may_have) continue;
        const auto found = first_in(segment, at, damage);
        if (found && (!first || found->sequence < first->sequence)) first = found;
    }
    return first;
}

std::optional<Position> Journal::first_in(const Segment& segment, const Position& after,
                                          std::vector<JournalDamage>& damage) {
    FileDescriptor reader;
    if (files_.open(segment.path, O_RDONLY, 0, reader) != 0) return std::nullopt;
    std::string bytes;
    std::string payload;
    std::string problem;
    std::uint64_t size = 0;
    std::uint64_t place = segment.number == after.segment ? after.offset + kBlock : kBlock;
    for (; place < segment.size; place += kReadChunk) {
        if (const int rc = files_.read(reader.get(), place, kReadChunk, bytes)) {
            damage.push_back({segment.path, place, "cannot be read: " + errno_text(rc)});
            continue;
        }
        for (std::size_t block = 0; block + kFrameHeader <= bytes.size(); block += kBlock) {
            const auto at = position_in(std::string_view(bytes).substr(block, kFrameHeader));
            if (!at || at->sequence <= after.sequence || at->segment < after.segment ||
                at->offset != place + block)
                continue;
            if (read_frame(reader.get(), *at, payload, size, problem) == Frame::whole) return at;
        }
    }
    return std::nullopt;
}

Journal::Frame Journal::read_frame(int fd, const Position& at, std::string& payload,
                                   std::uint64_t& frame_size, std::string& problem) {
    if (at.offset + kBlock > segment_size_) return Frame::none;
    std::string header;
    if (const int rc = files_.read(fd, at.offset, kFrameHeader, header)) {
        problem = "cannot be read: " + errno_text(rc);
        return Frame::unreadable;
    }
    if (header.size() != kFrameHeader) {
        problem = "the file ends here";
        return Frame::unreadable;
    }
    ByteReader in(std::string_view(header).substr(frame_fields(at, 0).size() - 8));
    const std::uint64_t size = in.fixed64();
    const std::uint64_t sum = in.fixed64();
    if (size > segment_size_ - at.offset - kFrameHeader) return Frame::none;
    const std::string fields = frame_fields(at, size);
    if (!std::string_view(header).starts_with(fields)) return Frame::none;
    if (const int rc = files_.read(fd, at.offset + kFrameHeader, size, payload)) {
        problem = "cannot be read: " + errno_text(rc);
        return Frame::unreadable;
    }
    if (payload.size() != size) {
        problem = "the file ends within a frame";
        return Frame::unreadable;
    }
    frame_size = FrameBuffer::frame_size(size);
    return sum == frame_checksum(fields, payload, control_.seed) ? Frame::whole : Frame::none;
}

Result<void> Journal::read_again(const FrameVisitor& on_frame) {
    const Position end = end_;
    std::string problem;
    std::uint64_t left = end.sequence - control_.start.sequence;
    const auto take = [&](std::string payload) {
        if (left == 0) return;  // an append that failed may have left a frame behind the end
        --left;
        on_frame(std::move(payload));
    };
    const auto ended = scan_from(control_.start, take, problem);
    end_ = end;
    if (!ended) return ended.error();
    if (left > 0) return transient_error("the journal cannot be read again: " + problem, Fault::damaged);
    return {};
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

// Recovery misses a segment that is not there, once it is noted: so only when a frame is in it. Without a
// note it is found as well, and the next frame tries again.
void Journal::note_segment() {
    if (end_.segment <= control_.newest_segment && segments_.size() <= control_.segment_files) return;
    const ControlBlock before = control_;
    control_.newest_segment = std::max(control_.newest_segment, end_.segment);
    control_.segment_files = segments_.size();
    if (!write_control()) control_ = before;
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
    if (control_.clean) {
        control_.clean = false;
        control_.boot_id = files_.boot_id();
        if (Result<void> written = write_control(); !written) {
            control_.clean = true;
            return written;
        }
    }
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
    note_segment();
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
    control_.suspect = control_.recovering = control_.clean = false;
    Result<void> written = write_control();
    if (!written) control_ = before;
    return written;
}

Result<void> Journal::mark_suspect() {
    control_.suspect = true;
    return write_control();
}

Result<void> Journal::mark_recovering() {
    control_.recovering = true;
    control_.clean = false;
    return write_control();
}

Result<void> Journal::mark_clean() {
    control_.clean = true;
    control_.boot_id = files_.boot_id();
    return write_control();
}

}  // namespace mailstead::commit
