#include "common/kv/fault_guard.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <system_error>
#include <unistd.h>

#include "common/base/file_descriptor.h"
#include "common/kv/env_state.h"

namespace mailstead::kv {
namespace {

// record = seconds SP signal SP ("map" / "last") SP directory LF
constexpr std::string_view kDataFile = "/data.mdb";
constexpr std::array<int, 2> kSignals = {SIGBUS, SIGSEGV};

// Open for the life of the process, since a handler cannot open anything in a sandbox.
std::atomic<int> record_fd{-1};
std::atomic<int> maps_fd{-1};
std::array<struct sigaction, kSignals.size()> before;

// Points to text that is never freed.
thread_local const char* last_used = nullptr;

// ---- from here on nothing but what a signal handler may call

struct Line {
    char bytes[4608];
    std::size_t size = 0;

    void add(std::string_view text) {
        const std::size_t room = sizeof bytes - size;
        const std::size_t taken = text.size() < room ? text.size() : room;
        std::memcpy(bytes + size, text.data(), taken);
        size += taken;
    }
    void add_number(std::uint64_t number) {
        char digits[20];
        std::size_t count = 0;
        do {
            digits[count++] = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number != 0);
        while (count != 0) add({&digits[--count], 1});
    }
};

void write_record(int signal, std::string_view how, std::string_view directory) {
    const int fd = record_fd.load(std::memory_order_relaxed);
    if (fd < 0) return;
    timespec at{};
    (void)::clock_gettime(CLOCK_REALTIME, &at);
    Line line;
    line.add_number(static_cast<std::uint64_t>(at.tv_sec));
    line.add(" ");
    line.add_number(static_cast<std::uint64_t>(signal));
    line.add(" ");
    line.add(how);
    line.add(" ");
    line.add(directory);
    line.add("\n");
    (void)!::write(fd, line.bytes, line.size);
}

std::uint64_t read_hex(const char*& at, const char* end) {
    std::uint64_t number = 0;
    for (; at != end; ++at) {
        const char c = *at;
        if (c >= '0' && c <= '9') {
            number = number * 16 + static_cast<std::uint64_t>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            number = number * 16 + static_cast<std::uint64_t>(c - 'a' + 10);
        } else {
            break;
        }
    }
    return number;
}

// The directory of the environment that is mapped there, out of a line of /proc/self/maps:
// `7f00-7fff r--s 00000000 fe:01 1234   /data/accounts/7/index/data.mdb`. Empty: it is none.
std::string_view mapped_in(std::string_view line, std::uint64_t address) {
    const char* at = line.data();
    const char* const end = at + line.size();
    const std::uint64_t begin = read_hex(at, end);
    if (at == end || *at != '-') return {};
    ++at;
    const std::uint64_t stop = read_hex(at, end);
    if (address < begin || address >= stop) return {};
    const auto path = line.find('/');
    if (path == std::string_view::npos) return {};
    const std::string_view file = line.substr(path);
    if (file.size() <= kDataFile.size() || file.substr(file.size() - kDataFile.size()) != kDataFile)
        return {};
    return file.substr(0, file.size() - kDataFile.size());
}

// Whether a record was written.
bool record_mapped(int signal, std::uint64_t address) {
    const int fd = maps_fd.load(std::memory_order_relaxed);
    if (fd < 0) return false;
    static char buffer[16384];
    std::size_t filled = 0;
    off_t offset = 0;
    for (;;) {
        const ssize_t count = ::pread(fd, buffer + filled, sizeof buffer - filled, offset);
        if (count <= 0) return false;
        offset += count;
        filled += static_cast<std::size_t>(count);
        std::size_t done = 0;
        for (;;) {
            const std::string_view rest(buffer + done, filled - done);
            const std::size_t newline = rest.find('\n');
            if (newline == std::string_view::npos) break;
            const std::string_view directory = mapped_in(rest.substr(0, newline), address);
            if (!directory.empty()) {
                write_record(signal, "map", directory);
                return true;
            }
            done += newline + 1;
        }
        if (done == 0 && filled == sizeof buffer) return false;  // no line is so long
        std::memmove(buffer, buffer + done, filled - done);
        filled -= done;
    }
}

void on_fault(int signal, siginfo_t* info, void*) {
    const int error = errno;
    // One fault is enough; another thread's may come at the same moment.
    static std::atomic_flag seen = ATOMIC_FLAG_INIT;
    if (info->si_code > 0 && !seen.test_and_set()) {
        const auto address = reinterpret_cast<std::uint64_t>(info->si_addr);
        if (!record_mapped(signal, address) && last_used != nullptr) write_record(signal, "last", last_used);
    }
    for (std::size_t i = 0; i < kSignals.size(); ++i) (void)::sigaction(kSignals[i], &before[i], nullptr);
    errno = error;
    // The instruction fails once more, and the signal does what it would have done. One that was sent does
    // not come by itself.
    if (info->si_code <= 0) (void)::raise(signal);
}

// ---- until here

}  // namespace

void note_use(const char* directory) {
    last_used = directory;
}

// LMDB aborts next.
void note_failed_assertion(MDB_env* env, const char*) {
    const auto* directory = static_cast<const char*>(mdb_env_get_userctx(env));
    if (directory != nullptr) write_record(SIGABRT, "map", directory);
}

const char* permanent_text(const std::string& text) {
    static std::mutex mutex;
    static auto* all = new std::set<std::string>;  // never destroyed: handlers point into it
    const std::lock_guard lock(mutex);
    return all->insert(text).first->c_str();
}

Result<void> guard_faults(const std::filesystem::path& record_file) {
    const int record =
        ::open(record_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (record < 0)
        return transient_error("open " + record_file.string() + ": " + std::system_category().message(errno));
    record_fd = record;
    maps_fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    struct sigaction action {};
    action.sa_sigaction = &on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        if (::sigaction(kSignals[i], &action, &before[i]) != 0)
            return transient_error("watch for faults: " + std::system_category().message(errno));
    }
    return {};
}

std::vector<FaultRecord> read_faults(const std::filesystem::path& record_file) {
    std::vector<FaultRecord> faults;
    std::ifstream in(record_file);
    for (std::string line; std::getline(in, line);) {
        std::istringstream fields(line);
        std::int64_t seconds = 0;
        FaultRecord fault;
        std::string how;
        std::string directory;
        if (!(fields >> seconds >> fault.signal >> how) || !std::getline(fields >> std::ws, directory))
            continue;
        fault.at = Time(Seconds(seconds));
        fault.is_certain = how == "map";
        fault.directory = directory;
        faults.push_back(std::move(fault));
    }
    return faults;
}

Result<void> write_faults(const std::filesystem::path& record_file, const std::vector<FaultRecord>& faults) {
    std::ofstream out(record_file, std::ios::trunc);
    for (const FaultRecord& fault : faults) {
        out << fault.at.time_since_epoch() / Seconds(1) << ' ' << fault.signal << ' '
            << (fault.is_certain ? "map" : "last") << ' ' << fault.directory.string() << '\n';
    }
    out.flush();
    if (!out) return transient_error("write " + record_file.string());
    return {};
}

}  // namespace mailstead::kv
