// Who serves a data folder: one program at a time for each part of it, by locks that live as long as their
// holder. Two owners would both acknowledge mail into one journal.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "common/base/clock.h"
#include "common/base/file_descriptor.h"
#include "common/base/result.h"

namespace mailstead::runtime {

// What a holder wrote into the file that it locked.
struct Holder {
    enum class Starter : std::uint8_t { hand, serve, systemd };

    std::string program;  // `deliver`, `restore`; empty: it has not said so yet
    pid_t pid = 0;
    Time since{};
    Starter starter = Starter::hand;
    pid_t supervisor = 0;   // the `mailstead serve` that started it
    bool stopping = false;  // it was asked to end and finishes what it has in hand

    // `deliver (process 812, started by systemd) since 2026-12-01T12:00:05.000Z`
    std::string to_string() const;
    // How to end it, as a sentence.
    std::string advice() const;
};

// The owner's lock: whoever writes below the folder (deliver, or a command that works without it) holds it.
std::filesystem::path owner_lock(const std::filesystem::path& data_dir);

// Takes the owner's lock for as long as the descriptor lives; it is not passed on to other programs. `who` is
// what others are told: lower case, a word. The file is made if missing; a lock dies with its holder, so that
// one which was killed is no obstacle. A holder that is just stopping is waited for, up to a minute.
// Errors: the folder is in use (the text names the holder and says what to do; useless to retry against a
// daemon, transient against a command), or its lock's file cannot be opened (permanent). Blocks; any thread.
Result<FileDescriptor> own_data_folder(const std::filesystem::path& data_dir, std::string_view who);
// The same for another lock's file below the data folder (a daemon's own).
Result<FileDescriptor> hold_lock(const std::filesystem::path& file, std::string_view who);

// Who holds it; nullopt: nobody, or it cannot be known (no such file, or not ours to read).
std::optional<Holder> holder_of(const std::filesystem::path& file);
// Waits and fails as hold_lock does, but takes nothing.
Result<void> check_unlocked(const std::filesystem::path& file);

// From here on whoever wants the lock waits for it. `lock` from the functions above.
void say_stopping(const FileDescriptor& lock);

}  // namespace mailstead::runtime
