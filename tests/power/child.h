// A process of its own that recovers and may be killed at it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <sys/types.h>

namespace mailstead::power {

// Runs `work` in a child, which ends with what it returns. Only while this process has a single thread.
pid_t run_in_child(const std::function<int()>& work);
// Its exit code, or minus the signal that ended it.
int wait_for_child(pid_t child);

// Recovers `tree` and stops well; the child is killed before call `killed_at` of the file system (0: never)
// or after so many microseconds. Answers as wait_for_child(); 0: it was not killed, 1: the start was refused.
int recover_in_child(const std::filesystem::path& tree, const std::string& boot, std::uint64_t killed_at,
                     std::int64_t killed_after_us);

}  // namespace mailstead::power
