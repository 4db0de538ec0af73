#include "admin/progress.h"

#include <csignal>
#include <cstdio>
#include <unistd.h>

#include "common/settings/units.h"

namespace mailstead::admin {
namespace {

volatile std::sig_atomic_t interrupted = 0;
void note(int) {
    interrupted = 1;
}

void handle(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigemptyset(&action.sa_mask);
    for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

// `12 MiB` instead of every byte.
std::string rounded(std::uint64_t bytes) {
    constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;
    return std::to_string((bytes + kMebi / 2) / kMebi) + " MiB";
}

}  // namespace

ProgressLine::ProgressLine(std::string what)
    : what_(std::move(what)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      next_(std::chrono::steady_clock::now()) {
    interrupted = 0;
    handle(&note);
}

ProgressLine::~ProgressLine() {
    handle(SIG_DFL);
    if (shown_) std::fputs("\r\033[K", stderr);
}

void ProgressLine::show(std::uint64_t files, std::uint64_t of, std::uint64_t bytes) {
    const auto at = std::chrono::steady_clock::now();
    if (!terminal_ || at < next_) return;
    next_ = at + std::chrono::milliseconds(200);
    shown_ = true;
    const std::string total = of == 0 ? std::string() : " of " + std::to_string(of);
    std::fprintf(stderr, "\r\033[K%s: %llu%s files, %s", what_.c_str(),
                 static_cast<unsigned long long>(files), total.c_str(), rounded(bytes).c_str());
    std::fflush(stderr);
}

bool ProgressLine::was_interrupted() {
    return interrupted != 0;
}

}  // namespace mailstead::admin
