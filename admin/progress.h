// How far long work has come, for a person at a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace mailstead::admin {

// One line on standard error that is written over, at most five times a second; nothing when that is no
// terminal. While one lives, SIGINT and SIGTERM do not end the process but make was_interrupted() true.
class ProgressLine {
public:
    explicit ProgressLine(std::string what);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    // `of` 0: not known.
    void show(std::uint64_t files, std::uint64_t of, std::uint64_t bytes);
    static bool was_interrupted();

private:
    std::string what_;
    bool terminal_;
    std::chrono::steady_clock::time_point next_;
    bool shown_ = false;
};

}  // namespace mailstead::admin
