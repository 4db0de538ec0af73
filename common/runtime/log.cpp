#include "common/runtime/log.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
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

int open_file(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
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

Result<void> open(Level level, const std::string& path, std::string_view program) {
    Sink& s = sink();
    if (!path.empty()) {
        const int fd = open_file(path);
        if (fd < 0) return permanent_error("cannot open the log " + path + ": " + std::strerror(errno));
        s.fd = fd;
    }
    s.path = path;
    s.program = program;
    s.level = level;
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
