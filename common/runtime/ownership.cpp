#include "common/runtime/ownership.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "common/base/open_file.h"
#include "common/base/text.h"

namespace mailstead::runtime {

namespace {

using Steady = std::chrono::steady_clock;

// A holder whose supervisor was just killed hears of it a moment later.
constexpr Milliseconds kGrace{500};
// A daemon drains for 20 seconds, then aborts.
constexpr Seconds kStopPatience{60};
constexpr Milliseconds kPause{20};
constexpr std::size_t kMaxProgram = 32;

constexpr std::string_view kRunning = "running";
constexpr std::string_view kStopping = "stopping";

// PROGRAM PID SINCE STARTER SUPERVISOR STATE, SINCE in milliseconds of the epoch.
std::string write_line(const Holder& holder) {
    constexpr std::array<std::string_view, 3> kStarters = {"hand", "serve", "systemd"};
    std::string line = holder.program;
    line += ' ' + std::to_string(holder.pid);
    line += ' ' + std::to_string(holder.since.time_since_epoch().count()) + ' ';
    line += kStarters.at(static_cast<std::size_t>(holder.starter));
    line += ' ' + std::to_string(holder.supervisor) + ' ';
    line += holder.stopping ? kStopping : kRunning;
    return line + '\n';
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
        const std::size_t end = std::min(line.find(' '), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return words;
}

bool is_program_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxProgram &&
           std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

// The text goes to an administrator's terminal: what does not look like a holder's line says nothing.
Holder parse_line(std::string_view content) {
    const std::size_t end = content.find('\n');
    if (end == std::string_view::npos) return {};
    const auto words = words_of(content.substr(0, end));
    if (words.size() != 6 || !is_program_name(words[0])) return {};
    const auto pid = text::parse_number<std::uint32_t>(words[1]);
    const auto since = text::parse_number<std::uint64_t>(words[2]);
    const auto supervisor = text::parse_number<std::uint32_t>(words[4]);
    if (!pid || !since || !supervisor) return {};
    Holder holder;
    holder.program = words[0];
    holder.pid = static_cast<pid_t>(*pid);
    holder.since = Time(Milliseconds(static_cast<std::int64_t>(*since)));
    if (words[3] == "serve") holder.starter = Holder::Starter::serve;
    if (words[3] == "systemd") holder.starter = Holder::Starter::systemd;
    holder.supervisor = static_cast<pid_t>(*supervisor);
    holder.stopping = words[5] == kStopping;
    return holder;
}

Holder read_holder(int file) {
    std::array<char, 256> content{};
    const ssize_t size = ::pread(file, content.data(), content.size(), 0);
    return size > 0 ? parse_line({content.data(), static_cast<std::size_t>(size)}) : Holder{};
}

void write_holder(int file, const Holder& holder) {
    // What it says is for messages alone; a full disk must not keep anyone from starting.
    const std::string line = write_line(holder);
    if (::pwrite(file, line.data(), line.size(), 0) != static_cast<ssize_t>(line.size())) return;
    [[maybe_unused]] const int cut = ::ftruncate(file, static_cast<off_t>(line.size()));
}

Holder ourselves(std::string_view who) {
    Holder holder;
    holder.program = who;
    holder.pid = ::getpid();
    holder.since = now();
    if (std::getenv("MAILSTEAD_READY_FD") != nullptr) {
        holder.starter = Holder::Starter::serve;
        holder.supervisor = ::getppid();
    } else if (std::getenv("NOTIFY_SOCKET") != nullptr) {
        holder.starter = Holder::Starter::systemd;
    }
    return holder;
}

struct flock whole_file() {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    return range;
}

// Locks of the open file description: those of the process would go when any descriptor of the file is
// closed. Whether it is ours now.
bool try_lock(int file) {
    struct flock range = whole_file();
    return ::fcntl(file, F_OFD_SETLK, &range) == 0;
}

bool is_unlocked(int file) {
    struct flock range = whole_file();
    return ::fcntl(file, F_OFD_GETLK, &range) != 0 || range.l_type == F_UNLCK;
}

Error in_use(const std::filesystem::path& file, const Holder& holder) {
    // data/lock, data/run/imapd/lock: the folder that a reader knows.
    std::string what = file.parent_path().string() + " is in use by ";
    what += holder.program.empty() ? "another Mailstead" : holder.to_string();
    what += ", and a second one would damage the mail: ";
    what += holder.advice();
    const bool goes_away = !holder.program.empty() && holder.program != "deliver" &&
                           holder.program != "imapd" && holder.program != "smtpd";
    return goes_away ? transient_error(std::move(what)) : permanent_error(std::move(what));
}

// Until `attempt` succeeds, or the holder is one that stays.
template <class Attempt>
Result<void> wait_for(const std::filesystem::path& file, int descriptor, const Attempt& attempt) {
    const auto begun = Steady::now();
    while (!attempt(descriptor)) {
        const Holder holder = read_holder(descriptor);
        const Milliseconds patience = holder.stopping ? Milliseconds(kStopPatience) : kGrace;
        if (Steady::now() - begun >= patience) return in_use(file, holder);
        std::this_thread::sleep_for(kPause);
    }
    return {};
}

}  // namespace

std::string Holder::to_string() const {
    std::string out = program + " (process " + std::to_string(pid) + ", started by ";
    switch (starter) {
        case Starter::serve:
            out += "`mailstead serve`, process " + std::to_string(supervisor);
            break;
        case Starter::systemd:
            out += "systemd";
            break;
        case Starter::hand:
            out += "hand";
            break;
    }
    return out + ") since " + to_rfc3339(since);
}

std::string Holder::advice() const {
    if (program.empty()) return "stop that one first";
    if (starter == Starter::systemd) return "stop that one first, with `systemctl stop mailstead.target`";
    if (starter == Starter::serve)
        return "stop that one first, with Ctrl-C where it runs or `kill " + std::to_string(supervisor) + "`";
    if (program == "deliver" || program == "imapd" || program == "smtpd")
        return "stop that one first, with `kill " + std::to_string(pid) + "`";
    return "wait until it has ended";
}

std::filesystem::path owner_lock(const std::filesystem::path& data_dir) {
    return data_dir / "lock";
}

Result<FileDescriptor> hold_lock(const std::filesystem::path& file, std::string_view who) {
    FileDescriptor lock(open_without_links(AT_FDCWD, file.string(), O_RDWR | O_CREAT | O_NONBLOCK, 0600));
    if (!lock) {
        const std::string what = "cannot open " + file.string() + ": " + std::strerror(errno);
        return errno == ENOENT || errno == ENOSPC ? transient_error(what) : permanent_error(what);
    }
    TRY_VOID(wait_for(file, lock.get(), &try_lock));
    write_holder(lock.get(), ourselves(who));
    return lock;
}

Result<FileDescriptor> own_data_folder(const std::filesystem::path& data_dir, std::string_view who) {
    return hold_lock(owner_lock(data_dir), who);
}

std::optional<Holder> holder_of(const std::filesystem::path& file) {
    const FileDescriptor lock(open_without_links(AT_FDCWD, file.string(), O_RDONLY | O_NONBLOCK));
    if (!lock || is_unlocked(lock.get())) return std::nullopt;
    return read_holder(lock.get());
}

Result<void> check_unlocked(const std::filesystem::path& file) {
    const FileDescriptor lock(open_without_links(AT_FDCWD, file.string(), O_RDONLY | O_NONBLOCK));
    if (!lock) return {};
    return wait_for(file, lock.get(), &is_unlocked);
}

void say_stopping(const FileDescriptor& lock) {
    Holder holder = read_holder(lock.get());
    if (holder.program.empty()) return;
    holder.stopping = true;
    write_holder(lock.get(), holder);
}

}  // namespace mailstead::runtime
