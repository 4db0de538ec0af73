#include "common/runtime/log.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/text.h"

namespace mailstead::log {

namespace {

// Process-wide, as standard error is.
struct Sink {
    std::atomic<Level> level{Level::info};
    // Never closed once it was in use: another thread may be writing to it. reopen() puts the new file in its
    // place.
    std::atomic<int> fd{STDERR_FILENO};
    std::string path;
    std::string program;
};

Sink& sink() {
    static Sink one;
    return one;
}

// The daemons are different users; the group of the log's folder is the one that they have in common.
void share_with_folder(const std::string& path, int fd, mode_t mode) {
    struct stat folder {};
    const std::size_t end = path.rfind('/');
    const std::string parent = end == std::string::npos ? "." : path.substr(0, end + 1);
    if (::stat(parent.c_str(), &folder) != 0 || ::fchown(fd, static_cast<uid_t>(-1), folder.st_gid) != 0)
        return;
    (void)::fchmod(fd, mode);  // whatever the umask
}

constexpr int kAttempts = 20;
constexpr auto kGrace = std::chrono::milliseconds(5);

// -1 with errno set. May take kAttempts times kGrace.
int open_file(const std::string& path) {
    constexpr int kFlags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    constexpr mode_t kMode = 0660;
    int fd = -1;
    for (int attempt = 0; attempt < kAttempts && fd < 0; ++attempt) {
        // Another daemon has just made it, and gives it to the group next.
        if (attempt > 0) std::this_thread::sleep_for(kGrace);
        // Not O_CREAT alone: the kernel refuses it for what another user made in a sticky folder
        // (fs.protected_regular).
        fd = ::open(path.c_str(), kFlags);
        if (fd < 0 && errno == EACCES) continue;
        if (fd >= 0 || errno != ENOENT) break;
        fd = ::open(path.c_str(), kFlags | O_CREAT | O_EXCL, kMode);
        if (fd >= 0) share_with_folder(path, fd, kMode);
        if (fd < 0 && errno != EEXIST) break;
    }
    struct stat status {};
    if (fd < 0 || ::fstat(fd, &status) != 0) return -1;
    if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) {
        ::close(fd);
        errno = EINVAL;
        return -1;
    }
    ::fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warning:
            return "warning";
        case Level::error:
            return "error";
        case Level::off:
            break;
    }
    return "off";
}

bool is_plain(std::string_view text) {
    if (text.empty() || text.size() > 256) return false;
    for (const char c : text) {
        if (!text::is_alpha(c) && !text::is_digit(c) && std::strchr("-_.:/@+[]<>,", c) == nullptr)
            return false;
        if (c == '\0') return false;
    }
    return true;
}

template <class Number>
void append_number(std::string& line, Number number) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    line.append(digits.data(), end);
}

void write_whole(int fd, std::string_view line) {
    while (!line.empty()) {
        const ssize_t put = ::write(fd, line.data(), line.size());
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return;  // a full disk must not stop the mail
        line.remove_prefix(static_cast<std::size_t>(put));
    }
}

}  // namespace

Parsed<Level> parse_level(std::string_view text) {
    for (const Level level : {Level::debug, Level::info, Level::warning, Level::error}) {
        if (text == name_of(level)) return level;
    }
    return ParseError("debug, info, warning or error is expected", 0);
}

void Field::append_to(std::string& line) const {
    line.append(1, ' ').append(key_).append(1, '=');
    if (kind_ == Kind::signed_number) return append_number(line, static_cast<std::int64_t>(number_));
    if (kind_ == Kind::unsigned_number) return append_number(line, number_);
    if (is_plain(text_)) {
        line.append(text_);
    } else {
        line.append(1, '"').append(text::quote_for_log(text_)).append(1, '"');
    }
}

void set_level(Level level, std::string_view program) {
    Sink& s = sink();
    s.program = program;
    s.level = level;
}

Result<void> open(const std::string& path) {
    if (path.empty()) return {};
    const int fd = open_file(path);
    if (fd < 0) {
        const std::string why = errno == ELOOP    ? "it is a symbolic link"
                                : errno == EINVAL ? "it is no file"
                                                  : std::strerror(errno);
        return permanent_error("cannot open the log " + path + ": " + why);
    }
    Sink& s = sink();
    s.fd = fd;
    s.path = path;
    return {};
}

void reopen() {
    Sink& s = sink();
    if (s.path.empty()) return;
    const int fresh = open_file(s.path);
    if (fresh < 0) return error("log.reopen", {{"file", s.path}, {"error", std::strerror(errno)}});
    // Writers keep using the number they know.
    ::dup3(fresh, s.fd, O_CLOEXEC);
    ::close(fresh);
}

bool enabled(Level level) {
    return level >= sink().level.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
    const Sink& s = sink();
    static thread_local std::string line;
    line.assign(to_rfc3339(now()));
    line.append(1, ' ').append(name_of(level));
    if (!s.program.empty()) line.append(1, ' ').append(s.program);
    line.append(" event=").append(event);
    for (const Field& field : fields) field.append_to(line);
    line.append(1, '\n');
    write_whole(s.fd.load(std::memory_order_relaxed), line);
}

}  // namespace mailstead::log
