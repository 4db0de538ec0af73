// A message file that a peer passed: what the peer does to it afterwards reaches neither what is parsed nor
// what is kept.
#include "deliver/intake/message_bytes.h"

#include <fcntl.h>
#include <fstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/unit/net/temporary_folder.h"

namespace mailstead::deliver {
namespace {

using net::test::TemporaryFolder;

constexpr std::uint64_t kMaxSize = 1 << 20;

ino_t inode_of(int file) {
    struct stat facts {};
    EXPECT_EQ(::fstat(file, &facts), 0);
    return facts.st_ino;
}

std::string content_of(int file) {
    struct stat facts {};
    EXPECT_EQ(::fstat(file, &facts), 0);
    std::string content(static_cast<std::size_t>(facts.st_size), '\0');
    EXPECT_EQ(::pread(file, content.data(), content.size(), 0), static_cast<ssize_t>(content.size()));
    return content;
}

class PeersMessage : public ::testing::Test {
protected:
    PeersMessage() {
        for (const char* const name : {"spool", "incoming", "accounts/7/mail/cur", "accounts/7/index"})
            std::filesystem::create_directories(folder.file(name));
        auto opened = MessageBytes::Places::open(folder.path(), kMaxSize);
        places.emplace(std::move(opened).value());
    }

    FileDescriptor unnamed(std::string_view content) const {
        FileDescriptor file(::open(folder.file("incoming").c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        EXPECT_EQ(::write(file.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
        return file;
    }
    FileDescriptor named(const std::string& name, std::string_view content, int flags) const {
        std::ofstream(folder.file(name)) << content;
        return FileDescriptor(::open(folder.file(name).c_str(), flags | O_CLOEXEC));
    }
    Result<MessageBytes> take(FileDescriptor file, std::uint64_t size) const {
        return MessageBytes::take(std::move(file), size, *places);
    }
    Result<MessageBytes> take(const FileDescriptor& file) const {
        return take(FileDescriptor(::dup(file.get())), content_of(file.get()).size());
    }

    TemporaryFolder folder;
    std::optional<MessageBytes::Places> places;
    const std::string small = "Subject: small\r\n\r\n" + std::string(10'000, 's');
    const std::string large = "Subject: large\r\n\r\n" + std::string(commit::kJournaledFileSize, 'l');
};

TEST_F(PeersMessage, StaysWhatItWasWhenThePeerWritesIntoItsFileAfterwards) {
    for (const std::string& text : {small, large}) {
        const FileDescriptor peers = unnamed(text);
        auto bytes = take(peers);
        ASSERT_TRUE(bytes) << bytes.error().what;
        ASSERT_EQ(::pwrite(peers.get(), "Subject: other", 14, 0), 14);
        EXPECT_EQ(bytes->view(), text);
        const FileDescriptor kept = bytes->release_file();
        EXPECT_NE(inode_of(kept.get()), inode_of(peers.get()));
        EXPECT_EQ(content_of(kept.get()), text);
        EXPECT_EQ(bytes->content() != nullptr, text.size() <= commit::kJournaledFileSize);
    }
}

TEST_F(PeersMessage, CutToNothingAfterwardsKillsNobody) {
    const FileDescriptor peers = unnamed(large);
    const auto bytes = take(peers);
    ASSERT_TRUE(bytes);
    ASSERT_EQ(::ftruncate(peers.get(), 0), 0);
    EXPECT_EQ(bytes->view(), large);
}

TEST_F(PeersMessage, OfAnotherSizeThanAnnouncedIsRefused) {
    for (const std::uint64_t size : {small.size() - 1, small.size() + 1, large.size(), std::size_t{0}}) {
        const auto bytes = take(unnamed(small), size);
        ASSERT_FALSE(bytes) << size;
        EXPECT_EQ(bytes.error().retry, Retry::is_useless);
    }
}

TEST_F(PeersMessage, ThatIsNoFileIsRefused) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const FileDescriptor write_end(ends[1]);
    EXPECT_FALSE(take(FileDescriptor(ends[0]), 0));
    EXPECT_FALSE(take(FileDescriptor(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY)), 4096));
    EXPECT_FALSE(take(FileDescriptor(), 0));
}

TEST_F(PeersMessage, AtTheLimitIsTakenAndOneOctetMoreIsNot) {
    EXPECT_TRUE(take(unnamed(std::string(kMaxSize, 'x')), kMaxSize));
    EXPECT_FALSE(take(unnamed(std::string(kMaxSize + 1, 'x')), kMaxSize + 1));
    // A hole costs its sender nothing.
    const FileDescriptor sparse = unnamed("");
    ASSERT_EQ(::ftruncate(sparse.get(), off_t{1} << 40), 0);
    EXPECT_FALSE(take(FileDescriptor(::dup(sparse.get())), std::uint64_t{1} << 40));
}

TEST_F(PeersMessage, MayLieInMemory) {
    for (const std::string& text : {small, large}) {
        FileDescriptor memory(::memfd_create("message", MFD_CLOEXEC));
        ASSERT_EQ(::write(memory.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
        auto bytes = take(std::move(memory), text.size());
        ASSERT_TRUE(bytes) << bytes.error().what;
        EXPECT_EQ(bytes->view(), text);
        const std::string name = folder.file("accounts/7/mail/cur/linked");
        const std::string from = "/proc/self/fd/" + std::to_string(bytes->release_file().release());
        EXPECT_EQ(::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW), 0)
            << "a copy on the data's file system";
        ::unlink(name.c_str());
    }
}

TEST_F(PeersMessage, ThatIsAMailboxesFileAlreadyIsSharedAndNotCopied) {
    for (const std::string& text : {small, large}) {
        const FileDescriptor file = named("accounts/7/mail/cur/1", text, O_RDONLY);
        auto bytes = take(file);
        ASSERT_TRUE(bytes);
        EXPECT_EQ(bytes->view(), text);
        EXPECT_EQ(inode_of(bytes->release_file().get()), inode_of(file.get()));
    }
}

TEST_F(PeersMessage, IsCopiedWhereItsDescriptorCanWriteOrItIsNoMailboxs) {
    const FileDescriptor writable = named("accounts/7/mail/cur/1", small, O_RDWR);
    const FileDescriptor index = named("accounts/7/index/data.mdb", small, O_RDONLY);
    const FileDescriptor elsewhere = named("incoming/mail", small, O_RDONLY);
    for (const FileDescriptor* file : {&writable, &index, &elsewhere}) {
        auto bytes = take(*file);
        ASSERT_TRUE(bytes);
        EXPECT_NE(inode_of(bytes->release_file().get()), inode_of(file->get()));
    }
}

}  // namespace
}  // namespace mailstead::deliver
