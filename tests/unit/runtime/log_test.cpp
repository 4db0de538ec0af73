#include "common/runtime/log.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "common/runtime/metrics.h"
#include "tests/unit/net/temporary_folder.h"

namespace mailstead::log {
namespace {

using net::test::TemporaryFolder;

std::string content(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

TEST(Log, QuotesWhatIsNotAPlainWord) {
    struct Case {
        Field field;
        const char* text;
    };
    for (const Case& c :
         {Case{{"peer", "192.0.2.1"}, " peer=192.0.2.1"}, Case{{"size", 12U}, " size=12"},
          Case{{"delta", -5}, " delta=-5"}, Case{{"tls", true}, " tls=yes"},
          Case{{"helo", "a b"}, " helo=\"a b\""}, Case{{"helo", ""}, " helo=\"\""},
          Case{{"helo", "x\r\nevent=forged"}, " helo=\"x\\x0d\\x0aevent=forged\""},
          Case{{"big", std::uint64_t{18'446'744'073'709'551'615U}}, " big=18446744073709551615"},
          Case{{"id", "<a@example.org>"}, " id=<a@example.org>"}}) {
        std::string line;
        c.field.append_to(line);
        EXPECT_EQ(line, c.text);
    }
}

TEST(Log, WritesLinesOfItsLevelAndFollowsRotation) {
    const TemporaryFolder folder;
    const std::string path = folder.file("log");
    set_level(Level::warning, "smtpd");
    ASSERT_TRUE(open(path));
    info("too.quiet", {{"a", 1}});
    warning("loud.enough", {{"a", 1}, {"b", "x y"}});
    const std::string first = content(path);
    EXPECT_EQ(first.find("too.quiet"), std::string::npos);
    EXPECT_NE(first.find("Z warning smtpd event=loud.enough a=1 b=\"x y\"\n"), std::string::npos) << first;
    std::filesystem::rename(path, path + ".1");
    reopen();
    error("after.rotation");
    EXPECT_NE(content(path).find("event=after.rotation\n"), std::string::npos);
    EXPECT_EQ(content(path + ".1"), first);
    set_level(Level::off, "test");
}

TEST(Log, RefusesAFileItCannotOpen) {
    EXPECT_FALSE(open("/nonexistent/folder/log"));
}

TEST(Log, WritesThroughNoLinkAndIntoNothingButAFile) {
    const TemporaryFolder folder;
    std::filesystem::create_symlink(folder.file("victim"), folder.file("link"));
    const auto link = open(folder.file("link"));
    ASSERT_FALSE(link);
    EXPECT_NE(link.error().what.find("symbolic link"), std::string::npos) << link.error().what;
    EXPECT_FALSE(std::filesystem::exists(folder.file("victim")));
    ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
    EXPECT_FALSE(open(folder.file("pipe")));
}

TEST(Log, ANewFileIsForTheGroupWhateverTheUmask) {
    const TemporaryFolder folder;
    const mode_t before = ::umask(0077);
    set_level(Level::off, "test");
    ASSERT_TRUE(open(folder.file("log")));
    ::umask(before);
    struct stat status {};
    ASSERT_EQ(::stat(folder.file("log").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0660u);
}

TEST(Log, ParsesLevels) {
    EXPECT_EQ(parse_level("debug").value(), Level::debug);
    EXPECT_EQ(parse_level("error").value(), Level::error);
    EXPECT_FALSE(parse_level("off"));
    EXPECT_FALSE(parse_level("Info"));
}

metrics::Counter apples("test_apples");
metrics::Counter bananas("test_bananas");

TEST(Metrics, SnapshotNamesEveryCounter) {
    apples.add();
    apples.add(4);
    bananas.add(2);
    bananas.subtract();
    const std::vector<std::pair<std::string, std::uint64_t>> expected{{"test_apples", 5},
                                                                      {"test_bananas", 1}};
    EXPECT_EQ(metrics::snapshot(), expected);
}

}  // namespace
}  // namespace mailstead::log
