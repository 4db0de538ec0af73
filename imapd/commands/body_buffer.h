// A FETCH answer on its way to the client: texts, and bytes of message files read to where they are sent
// from.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "common/mime/part_tree.h"
#include "common/net/task.h"
#include "imapd/session/file_bytes.h"

namespace mailstead::imapd {

class Session;

namespace commands {

// A chunk of answers as a rule, at most 2 * kPiece bytes, in memory that is not cleared before a file is read
// into it and that is kept from one chunk to the next. What the page cache does not hold is left out until
// the bytes are sent: then one trip to the pool waits for all of it.
class BodyBuffer {
public:
    // The session outlives it, and so do files until they are sent.
    explicit BodyBuffer(Session& session) : session_(session) {}

    // Makes room for about so many bytes. Only when empty.
    void reserve(std::uint64_t expected);

    // False when the client is gone.
    net::Task<bool> append(std::string_view bytes);
    net::Task<bool> append_file(int fd, mime::ByteRange range);
    // The same at once; false, and nothing done, when it does not fit as a whole.
    bool add(std::string_view bytes);
    bool add_file(int fd, mime::ByteRange range);

    // Sends all, behind what was answered in session.out() before. False when the client is gone.
    net::Task<bool> flush();
    // Hands a small rest over to session.out(), so that it goes out with what follows.
    net::Task<bool> finish();

    // Whether a disk had to be waited for since the last call.
    bool had_to_wait() { return std::exchange(had_to_wait_, false); }

    // Whether a file ended before its time; blanks stand for the rest.
    bool was_short() const { return was_short_; }

private:
    net::Task<void> read_missing();
    std::span<char> take(std::size_t size);
    std::size_t room() const { return capacity_ - size_; }

    Session& session_;
    std::unique_ptr<char[]> bytes_;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
    std::vector<FilePiece> missing_;
    bool had_to_wait_ = false;
    bool was_short_ = false;
};

}  // namespace commands
}  // namespace mailstead::imapd
