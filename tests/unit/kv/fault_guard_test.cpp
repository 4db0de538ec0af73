#include "common/kv/fault_guard.h"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/kv/env.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::kv {
namespace {

using testing::TemporaryFolder;

// Runs `work` in a process of its own and answers the signal that ended it.
template <class Work>
int signal_of(Work work) {
    const pid_t child = ::fork();
    if (child == 0) {
        work();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void make(const std::filesystem::path& folder) {
    EnvOptions options;
    options.access = Access::engine_writer;
    options.map_size = 64u << 20;
    auto env = Env::open(folder, options).value();
    const Database database = env->open_database("things").value();
    auto transaction = env->write().value();
    for (int i = 0; i < 2'000; ++i)
        ASSERT_TRUE(transaction.put(database, "key " + std::to_string(i), std::string(100, 'x')));
    ASSERT_TRUE(transaction.commit());
}

TEST(KvFaultGuard, NamesTheEnvironmentWhoseFileWasCutShortUnderItsMap) {
    TemporaryFolder folder;
    const auto record = folder.path() / "faults";
    make(folder.path() / "sound");
    make(folder.path() / "cut");
    const int signal = signal_of([&] {
        ASSERT_TRUE(guard_faults(record));
        auto cut = Env::open(folder.path() / "cut", EnvOptions{}).value();
        auto sound = Env::open(folder.path() / "sound", EnvOptions{}).value();
        const Database in_cut = cut->open_database("things").value();
        const Database in_sound = sound->open_database("things").value();
        const auto of_cut = cut->read().value();
        const auto of_sound = sound->read().value();
        std::filesystem::resize_file(folder.path() / "cut/data.mdb", 0);
        (void)of_sound.get(in_sound, "key 7");
        (void)of_cut.get(in_cut, "key 7");
    });
    EXPECT_EQ(signal, SIGBUS) << "the process dies as it would have died";
    const auto faults = read_faults(record);
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_EQ(faults[0].signal, SIGBUS);
    EXPECT_TRUE(faults[0].is_certain);
    EXPECT_EQ(faults[0].directory, std::filesystem::canonical(folder.path() / "cut"));
}

TEST(KvFaultGuard, OfOtherFaultsItNamesTheEnvironmentThatTheThreadUsedLast) {
    TemporaryFolder folder;
    const auto record = folder.path() / "faults";
    make(folder.path() / "one");
    const int signal = signal_of([&] {
        ASSERT_TRUE(guard_faults(record));
        auto env = Env::open(folder.path() / "one", EnvOptions{}).value();
        const Database database = env->open_database("things").value();
        const auto snapshot = env->read().value();
        (void)snapshot.get(database, "key 7");
        *reinterpret_cast<volatile int*>(16) = 1;
    });
    EXPECT_EQ(signal, SIGSEGV);
    const auto faults = read_faults(record);
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_FALSE(faults[0].is_certain);
    EXPECT_EQ(faults[0].directory, folder.path() / "one");
}

TEST(KvFaultGuard, ASignalThatSomebodySentIsNoFault) {
    TemporaryFolder folder;
    const auto record = folder.path() / "faults";
    const int signal = signal_of([&] {
        ASSERT_TRUE(guard_faults(record));
        ::raise(SIGSEGV);
    });
    EXPECT_EQ(signal, SIGSEGV);
    EXPECT_TRUE(read_faults(record).empty());
}

TEST(KvFaultGuard, TheRecordIsReadAndWrittenAgain) {
    TemporaryFolder folder;
    const auto record = folder.path() / "faults";
    EXPECT_TRUE(read_faults(record).empty());
    const std::vector<FaultRecord> faults = {
        {Time(Seconds(1'700'000'000)), SIGBUS, true, "/data/accounts/7/index"},
        {Time(Seconds(1'700'000'001)), SIGSEGV, false, "/data/queue"}};
    ASSERT_TRUE(write_faults(record, faults));
    std::ofstream(record, std::ios::app) << "torn\n";
    const auto again = read_faults(record);
    ASSERT_EQ(again.size(), 2u);
    EXPECT_EQ(again[0].directory, faults[0].directory);
    EXPECT_EQ(again[0].at, faults[0].at);
    EXPECT_TRUE(again[0].is_certain);
    EXPECT_EQ(again[1].signal, SIGSEGV);
    EXPECT_FALSE(again[1].is_certain);
}

}  // namespace
}  // namespace mailstead::kv
