#include "common/backup/manifest.h"

#include <vector>

#include <gtest/gtest.h>

namespace mailstead::backup {
namespace {

std::string manifest() {
    std::string text = write_header({"2026-12-01T03:00:00.000Z", 4711, "/var/lib/mail stead", "/etc/m.toml"});
    Entry folder;
    folder.is_folder = true;
    folder.mode = 0700;
    folder.owner = folder.group = "mailstead";
    folder.path = "data/accounts";
    text += write_entry(folder);
    Entry file = folder;
    file.is_folder = false;
    file.size = 12;
    file.modified = 1'700'000'000'123'456'789;
    file.checksum = "abc";
    file.origin = "i1.12.1700000000123456789";
    file.path = "data/accounts/7/mail/.Entw\xC3\xBCrfe und\nmehr%/cur/1:2,S";
    text += write_entry(file);
    return text + write_end(text);
}

Result<Header> read(std::string_view text, bool unfinished = false, std::vector<Entry>* entries = nullptr) {
    return read_manifest(text, unfinished, [&](Entry entry) {
        if (entries != nullptr) entries->push_back(std::move(entry));
    });
}

TEST(Manifest, IsReadAsItWasWritten) {
    std::vector<Entry> entries;
    const auto header = read(manifest(), false, &entries);
    ASSERT_TRUE(header) << header.error().what;
    EXPECT_EQ(header->batch, 4711U);
    EXPECT_EQ(header->data, "/var/lib/mail stead");
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_TRUE(entries[0].is_folder);
    EXPECT_EQ(entries[0].mode, 0700U);
    EXPECT_EQ(entries[1].path, "data/accounts/7/mail/.Entw\xC3\xBCrfe und\nmehr%/cur/1:2,S");
    EXPECT_EQ(entries[1].modified, 1'700'000'000'123'456'789);
    EXPECT_EQ(entries[1].origin, "i1.12.1700000000123456789");
}

TEST(Manifest, EveryFlippedBitIsFound) {
    const std::string whole = manifest();
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string flipped = whole;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        EXPECT_FALSE(read(flipped)) << at;
    }
}

TEST(Manifest, OneWithoutItsEndIsOnlyThatOfAnInterruptedBackup) {
    const std::string whole = manifest();
    for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(read(whole.substr(0, size))) << size;
    std::vector<Entry> entries;
    const std::size_t last = whole.rfind("\nend ");
    EXPECT_TRUE(read(whole.substr(0, last - 3), true, &entries));
    EXPECT_EQ(entries.size(), 1U) << "the line that was cut is none";
}

TEST(Manifest, NamesNothingOutsideOfTheSnapshot) {
    for (const char* path : {"../x", "/etc/passwd", "data/../../x", "data//x", "data/./x", "", "data/.."}) {
        Entry entry;
        entry.owner = entry.group = entry.checksum = "x";
        entry.path = path;
        std::string text = write_header({"t", 1, "d", "c"}) + write_entry(entry);
        text += write_end(text);
        EXPECT_FALSE(read(text)) << path;
    }
}

}  // namespace
}  // namespace mailstead::backup
