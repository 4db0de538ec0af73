#include "common/base/open_file.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

#include <gtest/gtest.h>

namespace mailstead {
namespace {

class OpenWithoutLinks : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "openXXXXXX").string();
        root_ = std::filesystem::canonical(::mkdtemp(pattern.data()));
        std::filesystem::create_directories(root_ / "a/b");
        std::ofstream(root_ / "a/b/file") << "x";
        std::filesystem::create_symlink("a", root_ / "link");
        std::filesystem::create_symlink("file", root_ / "a/b/last");
    }
    void TearDown() override { std::filesystem::remove_all(root_); }
    int open(const std::string& name, int flags = O_RDONLY) const {
        errno = 0;
        return open_without_links(AT_FDCWD, (root_ / name).string(), flags, 0640) ? 0 : errno;
    }
    std::filesystem::path root_;
};

TEST_F(OpenWithoutLinks, OpensAndMakesWhatNoLinkLeadsTo) {
    EXPECT_EQ(open("a/b/file"), 0);
    EXPECT_EQ(open("a//b/./file"), 0);
    EXPECT_EQ(open("a/b/", O_RDONLY | O_DIRECTORY), 0);
    EXPECT_EQ(open("a/b/new", O_WRONLY | O_CREAT | O_EXCL), 0);
    EXPECT_EQ(open("a/b", O_TMPFILE | O_RDWR), 0);
    EXPECT_EQ(open("a/b/missing"), ENOENT);
    EXPECT_EQ(open("a/b/file/x"), ENOTDIR);
    const FileDescriptor folder(::open((root_ / "a").c_str(), O_PATH | O_CLOEXEC));
    const FileDescriptor opened = open_without_links(folder.get(), "b/file", O_RDONLY);
    ASSERT_TRUE(opened);
    EXPECT_EQ(::fcntl(opened.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(OpenWithoutLinks, RefusesALinkAnywhereOnTheWay) {
    EXPECT_EQ(open("link/b/file"), ELOOP);
    EXPECT_EQ(open("a/b/last"), ELOOP);
    EXPECT_EQ(open("link", O_RDONLY | O_DIRECTORY), ELOOP);
    std::filesystem::create_symlink(root_ / "made", root_ / "dangling");
    EXPECT_EQ(open("dangling", O_WRONLY | O_CREAT), ELOOP);
    EXPECT_FALSE(std::filesystem::exists(root_ / "made"));
}

}  // namespace
}  // namespace mailstead
