// data/accounts on a file system of its own: a sync of one is none of the other.
#include <cstdlib>
#include <sched.h>
#include <sys/mount.h>

#include "tests/power/power_test.h"

namespace mailstead::power {
namespace {

int run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str());  // NOLINT: fixed words and a path of our own
}

class SecondFileSystem : public PowerTest {
protected:
    // In a mount namespace of this process, so that nothing is left on the machine.
    void SetUp() override {
        if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            GTEST_SKIP() << "skipped: this user or container may not mount";
    }
    void TearDown() override {
        for (const fs::path& place : mounted_) ::umount2(place.c_str(), MNT_DETACH);
        PowerTest::TearDown();
    }
    // An ext4 of its own at tree/accounts.
    bool mount_accounts(const fs::path& tree) {
        const fs::path image = tree.string() + ".ext4", place = tree / "accounts";
        fs::create_directories(place);
        mounted_.push_back(place);
        return run("truncate -s 64M " + image.string()) == 0 && run("mkfs.ext4 -q " + image.string()) == 0 &&
               run("mount -o loop " + image.string() + " " + place.string()) == 0;
    }
    static void empty(const fs::path& tree) {
        for (const auto& entry : fs::directory_iterator(tree)) {
            if (entry.path().filename() != "accounts") fs::remove_all(entry.path());
        }
        for (const auto& entry : fs::directory_iterator(tree / "accounts")) {
            if (entry.path().filename() != "lost+found") fs::remove_all(entry.path());
        }
    }

    std::vector<fs::path> mounted_;
};

TEST_F(SecondFileSystem, APowerCutLosesNothingOfAccountsThatLieThere) {
    const fs::path live = campaign_.new_tree(), after = campaign_.new_tree();
    if (!mount_accounts(live) || !mount_accounts(after))
        GTEST_SKIP() << "skipped: no loop devices or no mkfs.ext4 here";
    for (int round = 0; round < 3; ++round) {
        for (Point& point : campaign_.live_in(live, 60, 6, Ending::with_a_cut)) {
            Disk(point.tree).snapshot(after);
            fs::remove_all(point.tree);
            point.tree = after;
            RecoverOptions options;
            options.keeps_tree = true;
            int left = 1;
            options.is_cut_at = [&](std::uint64_t) { return left > 0 && random() % 12 == 0 && left-- > 0; };
            const Recovered recovered = campaign_.recover(std::move(point), options);
            empty(after);
            for (const Point& cut : recovered.cuts) campaign_.recover(cut);
        }
        empty(live);
    }
    EXPECT_GT(campaign_.figures().acknowledged, 100u);
}

}  // namespace
}  // namespace mailstead::power
