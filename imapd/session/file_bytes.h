// Bytes of message files, read without keeping the io thread waiting for a disk.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/net/task.h"
#include "common/runtime/offload.h"

namespace mailstead::imapd {

// Pieces in which large bodies are read and sent.
inline constexpr std::size_t kPiece = 256 * 1024;

// Appends `size` bytes of the file from `offset` on; how many could be read. What the page cache holds is
// taken at once; only a disk that must be waited for costs a trip to the pool. `out` outlives the wait, and
// has `size` more bytes in any case.
net::Task<std::size_t> append_file_bytes(runtime::OffloadPool& pool, int fd, std::uint64_t offset,
                                         std::size_t size, std::string& out);

enum class Disk : std::uint8_t {
    waited_for,     // not on an io thread
    not_waited_for  // what the page cache holds
};
// Fills `into` from `offset` on; how many bytes could be read. Less, if a disk may be waited for, only when
// the file is shorter than it should be.
std::size_t read_file_bytes(int fd, std::uint64_t offset, std::span<char> into, Disk disk);

// Bytes of a file and where they belong.
struct FilePiece {
    int fd = -1;
    std::uint64_t offset = 0;
    std::span<char> into;
};
// Reads them all, on the pool: the disk is told of all before the first is waited for. What cannot be read is
// blanks, since its length was announced; how many bytes that are.
std::uint64_t read_file_pieces(std::span<const FilePiece> pieces);

// Appends to the file, all or an error: false when there is no room, or the disk fails.
bool write_file_bytes(int fd, std::string_view bytes);

}  // namespace mailstead::imapd
