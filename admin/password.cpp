#include "admin/password.h"

#include <cstdio>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/file_descriptor.h"

namespace mailstead::admin {
namespace {

constexpr std::size_t kMaxPassword = 1000;
constexpr std::size_t kShortPassword = 8;

// One line without its end, byte by byte, so that nothing after it is taken from whoever reads on.
Outcome<Secret> read_line(int fd) {
    std::string line;
    char c = 0;
    while (true) {
        const ssize_t got = ::read(fd, &c, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Failure(EX_IOERR, "the password could not be read");
        if (got == 0 || c == '\n') break;
        line += c;
        if (line.size() > kMaxPassword + 1) {
            wipe(line);
            return Failure(EX_DATAERR, "the password is longer than 1000 bytes");
        }
    }
    if (line.ends_with('\r')) line.pop_back();
    return Secret::take(line);
}

// The terminal without echo for as long as this lives.
class SilentTerminal {
public:
    explicit SilentTerminal(int fd) : fd_(fd) {
        if (::tcgetattr(fd_, &before_) != 0) return;
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        changed_ = ::tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
    }
    ~SilentTerminal() {
        if (changed_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
    }
    SilentTerminal(const SilentTerminal&) = delete;
    SilentTerminal& operator=(const SilentTerminal&) = delete;

private:
    int fd_;
    termios before_{};
    bool changed_ = false;
};

void tell(int fd, std::string_view text) {
    static_cast<void>(!::write(fd, text.data(), text.size()));
}

Outcome<Secret> prompt(int fd, std::string_view question) {
    const SilentTerminal silent(fd);  // first, so that nothing typed after the question is shown
    tell(fd, question);
    auto line = read_line(fd);
    tell(fd, "\n");
    return line;
}

}  // namespace

Outcome<Secret> read_new_password(const Arguments& arguments, std::string_view for_whom) {
    if (arguments.has("--password-stdin")) {
        TRY(password, read_line(STDIN_FILENO));
        if (password.empty()) return Failure(EX_DATAERR, "standard input has no password in its first line");
        return password;
    }
    const FileDescriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
    if (!terminal) {
        return Failure(
            EX_USAGE,
            "there is no terminal to ask for a password: give it on standard input with --password-stdin");
    }
    TRY(password, prompt(terminal.get(), "Password for " + std::string(for_whom) + ": "));
    if (password.empty()) return Failure(EX_DATAERR, "the password is empty: nothing was changed");
    TRY(again, prompt(terminal.get(), "The same again: "));
    if (password.reveal() != again.reveal())
        return Failure(EX_DATAERR, "the two passwords differ: nothing was changed");
    if (password.reveal().size() < kShortPassword)
        tell(terminal.get(), "That is a short password; a longer one is safer.\n");
    return password;
}

}  // namespace mailstead::admin
