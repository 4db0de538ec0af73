#include "imapd/commands/body_buffer.h"

#include <algorithm>
#include <cstring>

#include "common/runtime/log.h"
#include "common/runtime/offload.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {

void BodyBuffer::reserve(std::uint64_t expected) {
    const auto wanted = static_cast<std::size_t>(std::clamp<std::uint64_t>(expected, kFlushAt, 2 * kPiece));
    if (wanted <= capacity_) return;
    bytes_.reset(new char[wanted]);
    capacity_ = wanted;
}

std::span<char> BodyBuffer::take(std::size_t size) {
    const std::span<char> taken(bytes_.get() + size_, size);
    size_ += size;
    return taken;
}

bool BodyBuffer::add(std::string_view bytes) {
    if (bytes.size() > room()) return false;
    if (!bytes.empty()) std::memcpy(take(bytes.size()).data(), bytes.data(), bytes.size());
    return true;
}

bool BodyBuffer::add_file(int fd, mime::ByteRange range) {
    if (range.size() > room()) return false;
    const std::span<char> into = take(static_cast<std::size_t>(range.size()));
    const std::size_t done = read_file_bytes(fd, range.begin, into, Disk::not_waited_for);
    if (done < into.size()) missing_.push_back({fd, range.begin + done, into.subspan(done)});
    return true;
}

net::Task<bool> BodyBuffer::append(std::string_view bytes) {
    while (!add(bytes)) {
        const std::string_view part = bytes.substr(0, room());
        (void)add(part);
        bytes.remove_prefix(part.size());
        const bool alive = co_await flush();
        if (!alive) co_return false;
    }
    co_return true;
}

net::Task<bool> BodyBuffer::append_file(int fd, mime::ByteRange range) {
    while (!add_file(fd, range)) {
        const std::uint64_t middle = range.begin + room();
        (void)add_file(fd, {range.begin, middle});
        range.begin = middle;
        const bool alive = co_await flush();
        if (!alive) co_return false;
    }
    co_return true;
}

net::Task<void> BodyBuffer::read_missing() {
    had_to_wait_ = true;
    const auto job = [pieces = std::span<const FilePiece>(missing_)] { return read_file_pieces(pieces); };
    const std::uint64_t short_by = co_await runtime::offload_or_run(session_.backend.pool(), job);
    missing_.clear();
    if (short_by == 0) co_return;
    was_short_ = true;
    log::error("imap.message.short", {{"account", session_.selected->account.value}, {"missing", short_by}});
}

net::Task<bool> BodyBuffer::flush() {
    if (!missing_.empty()) co_await read_missing();
    const std::string_view all(bytes_.get(), size_);
    const auto sent = co_await session_.connection.send(all);
    size_ = 0;
    co_return sent.has_value();
}

net::Task<bool> BodyBuffer::finish() {
    if (!missing_.empty() || size_ >= kFlushAt) co_return co_await flush();
    session_.out().append(bytes_.get(), size_);
    size_ = 0;
    co_return true;
}

}  // namespace mailstead::imapd::commands
