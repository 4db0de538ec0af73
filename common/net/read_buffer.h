// Bytes read and not yet consumed.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace mailstead::net {

// Owns no memory while empty and released: a connection that waits for its next command costs no buffer. Not
// thread-safe.
class ReadBuffer {
public:
    ReadBuffer() = default;
    ReadBuffer(ReadBuffer&& other) noexcept;
    ReadBuffer& operator=(ReadBuffer&& other) noexcept;

    // The unconsumed bytes; valid until the next call that is not const.
    std::string_view view() const { return {memory_.get() + begin_, end_ - begin_}; }
    std::size_t size() const { return end_ - begin_; }
    bool empty() const { return begin_ == end_; }
    std::size_t capacity() const { return capacity_; }

    // Drops the first `n` bytes; `n` <= size().
    void consume(std::size_t n);
    void clear() { begin_ = end_ = 0; }
    void append(std::string_view bytes);

    // Room for at least `n` more bytes; then commit what was written into it.
    std::span<char> prepare(std::size_t n);
    void commit(std::size_t n) { end_ += n; }
    // The room that is there without growing (after moving the content to the front).
    std::size_t room() const { return capacity_ - size(); }

    // Gives the memory back if the buffer is empty.
    void release();

private:
    std::unique_ptr<char[]> memory_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace mailstead::net
