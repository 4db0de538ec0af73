#include "common/commit/journal.h"

#include <cerrno>
#include <random>

#include <gtest/gtest.h>

#include "common/commit/checksum.h"
#include "common/commit/record.h"
#include "tests/unit/commit/forgetful_files.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::commit {
namespace {

using mailstead::testing::TemporaryFolder;
using testing::read_file;
using testing::write_file;

constexpr std::uint64_t kSegment = 64 * 1024;

std::unique_ptr<Journal> open(const std::filesystem::path& folder, std::size_t max_segments = 4) {
    auto journal = Journal::open(FileLayer::real(), {folder, kSegment, max_segments});
    EXPECT_TRUE(journal) << journal.error().what;
    return std::move(*journal);
}

std::vector<std::string> frames_of(Journal& journal) {
    std::vector<std::string> frames;
    std::vector<JournalDamage> damage;
    EXPECT_TRUE(journal.scan([&](std::string payload) { frames.push_back(std::move(payload)); }, damage));
    for (const auto& one : damage) ADD_FAILURE() << one.file << " " << one.offset << " " << one.what;
    return frames;
}

void append(Journal& journal, const std::string& payload) {
    FrameBuffer frame;
    frame.raw(payload);
    const auto appended = journal.append(frame);
    EXPECT_TRUE(appended) << appended.error().what;
}

std::string text(std::size_t size, int n) {
    return std::string(size, static_cast<char>('a' + n % 26)) + std::to_string(n);
}

TEST(CommitChecksum, IsXxh64) {
    EXPECT_EQ(checksum("", 0), 0xEF46DB3751D8E999u);
    EXPECT_EQ(checksum("a", 0), 0xD24EC4F1A98C6E5Bu);
    EXPECT_EQ(checksum("abc", 0), 0x44BC2CF5AD770999u);
    EXPECT_NE(checksum("abc", 1), checksum("abc", 0));
}

TEST(CommitJournal, FramesComeBackInOrderAcrossSegments) {
    TemporaryFolder folder;
    std::vector<std::string> written;
    {
        auto journal = open(folder.path());
        EXPECT_TRUE(frames_of(*journal).empty());
        for (int n = 0; n < 12; ++n) {
            written.push_back(text(static_cast<std::size_t>(n) * 1500, n));
            append(*journal, written.back());
        }
        EXPECT_GT(journal->end().segment, 1u);
    }
    auto journal = open(folder.path());
    EXPECT_EQ(frames_of(*journal), written);
    append(*journal, "more");
    written.push_back("more");
    auto again = open(folder.path());
    EXPECT_EQ(frames_of(*again), written);
}

TEST(CommitJournal, FullUntilTheStartMovesThenSegmentsAreRecycled) {
    TemporaryFolder folder;
    auto journal = open(folder.path(), 3);
    EXPECT_TRUE(frames_of(*journal).empty());
    int appended = 0;
    for (; journal->has_room(20'000); ++appended) append(*journal, text(20'000, appended));
    EXPECT_EQ(appended, 3 * 3);  // three in each segment of 64 KiB
    FrameBuffer frame;
    frame.raw(text(20'000, 0));
    EXPECT_FALSE(journal->append(frame));
    for (int round = 0; round < 20; ++round) {
        ASSERT_TRUE(journal->set_start(journal->end(), static_cast<std::uint64_t>(round)));
        EXPECT_EQ(journal->bytes_since_start(), 0u);
        std::vector<std::string> written;
        for (int n = 0; n < 3; ++n) {
            written.push_back(text(20'000, round * 3 + n));
            append(*journal, written.back());
        }
        auto again = open(folder.path(), 3);
        EXPECT_EQ(frames_of(*again), written) << round;
        EXPECT_EQ(again->control().next_batch, static_cast<std::uint64_t>(round));
    }
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}),
              4);  // three segments, one control file
}

struct Scanned {
    std::vector<std::string> frames;
    std::vector<JournalDamage> damage;
};

std::string damage_of(const Scanned& scanned) {
    std::string text;
    for (const auto& one : scanned.damage)
        text += one.file.string() + " " + std::to_string(one.offset) + " " + one.what + "\n";
    return text;
}

Scanned scan(const std::filesystem::path& folder, FileLayer& files = FileLayer::real()) {
    auto journal = *Journal::open(files, {folder, kSegment, 4});
    Scanned scanned;
    EXPECT_TRUE(journal->scan([&](std::string payload) { scanned.frames.push_back(std::move(payload)); },
                              scanned.damage));
    return scanned;
}

// Twelve frames in two segments.
std::vector<std::string> write_twelve(const std::filesystem::path& folder) {
    std::vector<std::string> written;
    auto journal = open(folder);
    frames_of(*journal);
    for (int n = 0; n < 12; ++n) {
        written.push_back(text(9'000, n));
        append(*journal, written.back());
    }
    EXPECT_EQ(journal->end().segment, 3u);
    return written;
}

TEST(CommitJournal, ATornTailEndsItAndDamageBeforeAWholeFrameIsTold) {
    TemporaryFolder folder;
    std::mt19937 random(1);
    std::vector<std::string> written;
    {
        auto journal = open(folder.path());
        frames_of(*journal);
        for (int n = 0; n < 6; ++n) {
            written.push_back(text(5'000, n));
            append(*journal, written.back());
        }
    }
    const auto path = folder.path() / "segment-0";
    const std::string whole = read_file(path);
    const std::size_t frame = FrameBuffer::frame_size(written[0].size());
    for (int round = 0; round < 100; ++round) {
        const std::size_t n = random() % written.size();
        const std::size_t in_frame = random() % (kFrameHeader + written[n].size());
        std::string damaged = whole;
        damaged[kBlock + n * frame + in_frame] =
            static_cast<char>(damaged[kBlock + n * frame + in_frame] ^ (1 << random() % 8));
        write_file(path, damaged);
        const Scanned scanned = scan(folder.path());
        auto expected = written;
        expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(n));
        EXPECT_EQ(scanned.frames, expected);
        if (n + 1 == written.size()) {
            EXPECT_TRUE(scanned.damage.empty());
        } else {
            ASSERT_EQ(scanned.damage.size(), 1u) << damage_of(scanned);
            EXPECT_EQ(scanned.damage[0].file, path);
            EXPECT_EQ(scanned.damage[0].offset, kBlock + n * frame);
        }
    }
    write_file(path, whole);
    EXPECT_EQ(scan(folder.path()).frames, written);
}

TEST(CommitJournal, LostShortAndZeroedSegmentsAreTold) {
    for (const char* kind : {"missing", "empty", "short", "zeroed", "header"}) {
        for (const char* name : {"segment-0", "segment-1", "segment-2"}) {
            TemporaryFolder folder;
            const auto written = write_twelve(folder.path());
            const auto path = folder.path() / name;
            std::string bytes = read_file(path);
            if (kind == std::string("missing")) {
                std::filesystem::remove(path);
            } else if (kind == std::string("empty")) {
                write_file(path, "");
            } else if (kind == std::string("short")) {
                write_file(path, bytes.substr(0, 3 * kBlock));
            } else if (kind == std::string("zeroed")) {
                write_file(path, std::string(bytes.size(), '\0'));
            } else {
                write_file(path, std::string(kBlock, 'x') + bytes.substr(kBlock));
            }
            const Scanned scanned = scan(folder.path());
            if (kind == std::string("header")) {  // the first frame names its segment, too
                EXPECT_EQ(scanned.frames, written) << name;
                EXPECT_TRUE(scanned.damage.empty()) << name << damage_of(scanned);
                continue;
            }
            EXPECT_LT(scanned.frames.size(), written.size()) << kind << name;
            EXPECT_FALSE(scanned.damage.empty()) << kind << name;
        }
    }
}

TEST(CommitJournal, ASegmentIsMissedOnlyOnceAFrameIsInIt) {
    TemporaryFolder folder;
    testing::ForgetfulFiles files(folder.path() / "live", folder.path() / "durable", "boot");
    const auto directory = folder.path() / "live/journal";
    for (int stop_at = 0; stop_at < 40; ++stop_at) {
        std::filesystem::remove_all(directory);
        auto journal = *Journal::open(files, {directory, kSegment, 4});
        frames_of(*journal);
        const std::uint64_t last = files.calls + static_cast<std::uint64_t>(stop_at);
        files.before_call = [&](std::uint64_t call, const char*) { return call > last ? EIO : 0; };
        for (int n = 0; n < 8; ++n) {
            FrameBuffer frame;
            frame.raw(text(9'000, n));
            (void)journal->append(frame);
        }
        files.before_call = nullptr;
        journal.reset();
        const Scanned scanned = scan(directory);
        EXPECT_TRUE(scanned.damage.empty()) << stop_at << damage_of(scanned);
    }
}

// Refuses to read one place of one file.
class BadSector : public FileLayer {
public:
    BadSector(std::filesystem::path file, std::uint64_t offset) : file_(std::move(file)), offset_(offset) {}
    int read(int fd, std::uint64_t offset, std::size_t size, std::string& bytes) override {
        const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd));
        if (path == file_ && offset <= offset_ && offset_ < offset + size) return EIO;
        return FileLayer::read(fd, offset, size, bytes);
    }

private:
    std::filesystem::path file_;
    std::uint64_t offset_;
};

TEST(CommitJournal, AnUnreadableSectorIsNotTheEnd) {
    TemporaryFolder folder;
    const auto written = write_twelve(folder.path());
    for (const char* name : {"segment-0", "segment-1"}) {
        BadSector files(folder.path() / name, kBlock + FrameBuffer::frame_size(written[0].size()) + 100);
        const Scanned scanned = scan(folder.path(), files);
        EXPECT_FALSE(scanned.damage.empty());
        EXPECT_EQ(scanned.damage.front().file, folder.path() / name);
    }
}

TEST(CommitJournal, WithoutItsControlBlockItIsNoNewOne) {
    TemporaryFolder folder;
    write_twelve(folder.path());
    const auto path = folder.path() / "control";
    write_file(path, std::string(2 * kBlock, 'x'));
    Journal::Options options{folder.path(), kSegment, 4};
    EXPECT_EQ(Journal::open(FileLayer::real(), options).error().fault, Fault::damaged);
    std::filesystem::remove(path);
    EXPECT_EQ(Journal::open(FileLayer::real(), options).error().fault, Fault::damaged);
    options.start_anew = true;
    auto journal = *Journal::open(FileLayer::real(), options);
    EXPECT_TRUE(frames_of(*journal).empty());
    std::size_t kept = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
        kept += entry.path().parent_path().filename().string().starts_with("damaged-") ? 1 : 0;
    EXPECT_EQ(kept, 3u);
    options.directory = folder.path() / "none";
    options.start_anew = false;
    options.expected = true;
    EXPECT_EQ(Journal::open(FileLayer::real(), options).error().fault, Fault::damaged);
}

TEST(CommitJournal, ARefusedWriteLeavesNoFrame) {
    TemporaryFolder folder;
    testing::ForgetfulFiles files(folder.path() / "live", folder.path() / "durable", "boot");
    auto journal = *Journal::open(files, {folder.path() / "live/journal", kSegment, 4});
    frames_of(*journal);
    append(*journal, "one");
    FrameBuffer frame;
    frame.raw("two");
    bool failed = false;
    files.before_call = [&](std::uint64_t, const char*) { return std::exchange(failed, true) ? 0 : EIO; };
    EXPECT_FALSE(journal->append(frame));
    append(*journal, "three");
    auto again = *Journal::open(files, {folder.path() / "live/journal", kSegment, 4});
    EXPECT_EQ(frames_of(*again), (std::vector<std::string>{"one", "three"}));
}

TEST(CommitJournal, ATornControlBlockLeavesTheOneBefore) {
    TemporaryFolder folder;
    Position start;
    {
        auto journal = open(folder.path());
        frames_of(*journal);
        append(*journal, "one");
        start = journal->end();
        ASSERT_TRUE(journal->set_start(start, 7));
        append(*journal, "two");
        ASSERT_TRUE(journal->set_start(journal->end(), 8));
    }
    const auto path = folder.path() / "control";
    std::string bytes = read_file(path);
    auto newest = newest_control_block(bytes);
    ASSERT_TRUE(newest);
    EXPECT_EQ(newest->next_batch, 8u);
    bytes[newest->generation % 2 * kBlock + 20] ^= 1;
    write_file(path, bytes);
    auto journal = open(folder.path());
    EXPECT_EQ(journal->control().start, start);
    EXPECT_EQ(frames_of(*journal), std::vector<std::string>{"two"});
}

TEST(CommitRecord, RoundTripAndEveryCutRefused) {
    Record record;
    record.batch = 300;
    record.environments = {{"account/7", std::string_view("meta\0pages", 10)}, {"queue", ""}};
    record.transactions = {{{{false, "bytes", 5}, {true, "spool/large-1", 1u << 20}},
                            {{0,
                              "change",
                              {{FileStep::Kind::link_file, 1, "", "a"},
                               {FileStep::Kind::rename, 0, "a", "b"},
                               {FileStep::Kind::remove, 0, "", "c"}}},
                             {1, "", {}}}},
                           {{}, {{1, "other", {}}}}};
    FrameBuffer buffer;
    encode_record(buffer, record);
    const std::string bytes(buffer.payload());
    const auto decoded = decode_record(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->batch, 300u);
    ASSERT_EQ(decoded->environments.size(), 2u);
    EXPECT_EQ(decoded->environments[0].meta_pages.size(), 10u);
    ASSERT_EQ(decoded->transactions.size(), 2u);
    EXPECT_TRUE(decoded->transactions[0].files[1].staged);
    EXPECT_EQ(decoded->transactions[0].files[1].size, 1u << 20);
    EXPECT_TRUE(decoded->names_links);
    EXPECT_EQ(decoded->transactions[0].parts[0].steps[0].kind, FileStep::Kind::link_file);
    EXPECT_EQ(decoded->transactions[0].parts[0].steps[0].file, 1u);
    EXPECT_EQ(decoded->transactions[0].parts[0].steps[1].to, "b");
    EXPECT_EQ(decoded->transactions[0].parts[0].steps[2].kind, FileStep::Kind::remove);
    EXPECT_EQ(decoded->transactions[1].parts[0].payload, "other");
    FrameBuffer second;
    encode_record(second, *decoded);
    EXPECT_EQ(second.payload(), bytes);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        EXPECT_FALSE(decode_record(std::string_view(bytes).substr(0, cut))) << cut;
    EXPECT_FALSE(decode_record(bytes + "x"));
}

}  // namespace
}  // namespace mailstead::commit
