// Bytes of the journal that changed, are gone or cannot be read: never a start that says nothing and has lost
// what was acknowledged; and once the bytes are back everything is.
#include <algorithm>

#include "tests/power/power_test.h"

namespace mailstead::power {
namespace {

class JournalDamage : public PowerTest {
protected:
    using Harm = std::function<void(std::string& bytes)>;

    // What a cut left of a life in which all was answered. The journal is needed for it.
    Point a_needed_journal() {
        for (;;) {
            auto points = campaign_.live(50, 0, Ending::with_a_cut);
            if (!points.empty()) return std::move(points.back());
        }
    }
    static std::vector<fs::path> journal_files(const fs::path& tree) {
        std::vector<fs::path> files;
        for (const auto& entry : fs::directory_iterator(tree / "journal")) {
            if (entry.is_regular_file()) files.push_back(entry.path().filename());
        }
        std::sort(files.begin(), files.end());
        return files;
    }
    static bool is_control(const fs::path& file) {
        return file.string().find("control") != std::string::npos;
    }

    // Recovers `point` with one file of the journal harmed, then with what it was.
    void recover_with(const Point& point, const fs::path& file, const std::string& what, const Harm& harm) {
        Point harmed = campaign_.copy_of(point);
        const fs::path path = harmed.tree / "journal" / file;
        const std::string before = read_file(path);
        std::string bytes = before;
        harm(bytes);
        if (bytes.empty() && what == "removed") {
            fs::remove(path);
        } else {
            write_file(path, bytes);
        }
        harmed.how += ", with " + file.string() + " " + what;
        RecoverOptions options;
        options.may_refuse = options.keeps_tree = true;
        Recovered recovered = campaign_.recover(harmed, options);
        if (!recovered.started) {
            write_file(path, before);
            harmed.how += " and mended";
            campaign_.recover(harmed);
        } else {
            fs::remove_all(harmed.tree);
        }
    }

    // A place with something in it.
    std::size_t some_used_byte(const std::string& bytes) {
        for (int tries = 0; tries < 1'000; ++tries) {
            const std::size_t at = random() % bytes.size();
            if (bytes[at] != '\0') return at;
        }
        return 0;
    }
};

TEST_F(JournalDamage, AFlippedBitIsNeverTakenForTheEnd) {
    const Point point = a_needed_journal();
    for (int n = 0; n < 40; ++n) {
        for (const fs::path& file : journal_files(point.tree)) {
            if (fs::file_size(point.tree / "journal" / file) == 0) continue;
            if (is_control(file) && n % 10 != 0) continue;
            recover_with(point, file, "with a flipped bit", [&](std::string& bytes) {
                bytes[some_used_byte(bytes)] ^= static_cast<char>(1 << random() % 8);
            });
        }
        if (campaign_.figures().points > 120) break;
    }
}

TEST_F(JournalDamage, AShortOrMissingOrZeroedFileIsNoEmptyJournal) {
    const Point point = a_needed_journal();
    for (const fs::path& file : journal_files(point.tree)) {
        if (fs::file_size(point.tree / "journal" / file) == 0) continue;
        recover_with(point, file, "removed", [](std::string& bytes) { bytes.clear(); });
        recover_with(point, file, "empty", [](std::string& bytes) { bytes.clear(); });
        recover_with(point, file, "cut short",
                     [&](std::string& bytes) { bytes.resize(random() % bytes.size()); });
        recover_with(point, file, "zeroed", [](std::string& bytes) { bytes.assign(bytes.size(), '\0'); });
        recover_with(point, file, "zeroed from the middle", [](std::string& bytes) {
            bytes.replace(bytes.size() / 2, std::string::npos, bytes.size() - bytes.size() / 2, '\0');
        });
        recover_with(point, file, "with a page of something else", [&](std::string& bytes) {
            const std::size_t page = some_used_byte(bytes) / 4096 * 4096;
            bytes.replace(page, std::min<std::size_t>(4096, bytes.size() - page),
                          std::string(std::min<std::size_t>(4096, bytes.size() - page), 'x'));
        });
    }
}

TEST_F(JournalDamage, APlaceThatCannotBeReadStopsTheStartUntilItCan) {
    const Point point = a_needed_journal();
    for (const fs::path& file : journal_files(point.tree)) {
        const std::string bytes = read_file(point.tree / "journal" / file);
        if (bytes.empty()) continue;
        for (int n = 0; n < 8; ++n) {
            const std::size_t bad = some_used_byte(bytes);
            Point unreadable = campaign_.copy_of(point);
            unreadable.how += ", with byte " + std::to_string(bad) + " of " + file.string() + " unreadable";
            RecoverOptions options;
            options.may_refuse = options.keeps_tree = true;
            options.is_unreadable = [&](const fs::path& path, std::uint64_t offset, std::size_t size) {
                return path.filename() == file && offset <= bad && bad < offset + size;
            };
            const Recovered recovered = campaign_.recover(unreadable, options);
            unreadable.books = recovered.books;
            unreadable.how += ", and readable again";
            campaign_.recover(std::move(unreadable));
        }
    }
}

}  // namespace
}  // namespace mailstead::power
