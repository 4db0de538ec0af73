#include "imapd/session/file_bytes.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

namespace mailstead::imapd {

std::size_t read_file_bytes(int fd, std::uint64_t offset, std::span<char> into, Disk disk) {
    const int flags = disk == Disk::waited_for ? 0 : RWF_NOWAIT;
    std::size_t done = 0;
    while (done < into.size()) {
        iovec piece{into.data() + done, into.size() - done};
        const ssize_t n = ::preadv2(fd, &piece, 1, static_cast<off_t>(offset + done), flags);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

std::uint64_t read_file_pieces(std::span<const FilePiece> pieces) {
    for (const FilePiece& piece : pieces) {
        (void)::posix_fadvise(piece.fd, static_cast<off_t>(piece.offset),
                              static_cast<off_t>(piece.into.size()), POSIX_FADV_WILLNEED);
    }
    std::uint64_t missing = 0;
    for (const FilePiece& piece : pieces) {
        const std::size_t done = read_file_bytes(piece.fd, piece.offset, piece.into, Disk::waited_for);
        std::fill(piece.into.begin() + static_cast<std::ptrdiff_t>(done), piece.into.end(), ' ');
        missing += piece.into.size() - done;
    }
    return missing;
}

net::Task<std::size_t> append_file_bytes(runtime::OffloadPool& pool, int fd, std::uint64_t offset,
                                         std::size_t size, std::string& out) {
    const std::size_t start = out.size();
    out.resize(start + size, ' ');
    const std::span<char> into(out.data() + start, size);
    std::size_t done = read_file_bytes(fd, offset, into, Disk::not_waited_for);
    if (done < size) {
        const auto job = [fd, at = offset + done, rest = into.subspan(done)] {
            return read_file_bytes(fd, at, rest, Disk::waited_for);
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
