#include "imapd/session/file_bytes.h"

#include <cerrno>
#include <sys/uio.h>
#include <unistd.h>

namespace mailstead::imapd {
namespace {

// How many of the bytes could be read; less only when the file is shorter than it should be.
std::size_t read_file(int fd, std::uint64_t offset, char* into, std::size_t size, int flags) {
    std::size_t done = 0;
    while (done < size) {
        iovec piece{into + done, size - done};
        const ssize_t n = ::preadv2(fd, &piece, 1, static_cast<off_t>(offset + done), flags);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

}  // namespace

net::Task<std::size_t> append_file_bytes(runtime::OffloadPool& pool, int fd, std::uint64_t offset,
                                         std::size_t size, std::string& out) {
    const std::size_t start = out.size();
    out.resize(start + size, ' ');
    std::size_t done = read_file(fd, offset, out.data() + start, size, RWF_NOWAIT);
    if (done < size) {
        char* const into = out.data() + start + done;
        const auto job = [fd, at = offset + done, into, left = size - done] {
            return read_file(fd, at, into, left, 0);
        };
        done += co_await runtime::offload_or_run(pool, job);
    }
    co_return done;
}

bool write_file_bytes(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

}  // namespace mailstead::imapd
