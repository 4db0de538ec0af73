#include "common/net/read_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mailstead::net {

ReadBuffer::ReadBuffer(ReadBuffer&& other) noexcept
    : memory_(std::move(other.memory_)),
      capacity_(std::exchange(other.capacity_, 0)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)) {}

ReadBuffer& ReadBuffer::operator=(ReadBuffer&& other) noexcept {
    if (this != &other) {
        memory_ = std::move(other.memory_);
        capacity_ = std::exchange(other.capacity_, 0);
        begin_ = std::exchange(other.begin_, 0);
        end_ = std::exchange(other.end_, 0);
    }
    return *this;
}

void ReadBuffer::consume(std::size_t n) {
    begin_ += n;
    if (begin_ >= end_) clear();
}

void ReadBuffer::append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
    commit(bytes.size());
}

std::span<char> ReadBuffer::prepare(std::size_t n) {
    const std::size_t used = size();
    if (n > capacity_ - used) {
        // Doubling keeps a long line linear; a first small read gets just what it needs.
        const std::size_t grown = std::max(used + n, capacity_ * 2);
        std::unique_ptr<char[]> larger(new char[grown]);
        if (used != 0) std::memcpy(larger.get(), memory_.get() + begin_, used);
        memory_ = std::move(larger);
        capacity_ = grown;
        begin_ = 0;
        end_ = used;
    } else if (n > capacity_ - end_) {
        std::memmove(memory_.get(), memory_.get() + begin_, used);
        begin_ = 0;
        end_ = used;
    }
    return {memory_.get() + end_, capacity_ - end_};
}

void ReadBuffer::release() {
    if (!empty()) return;
    memory_.reset();
    capacity_ = begin_ = end_ = 0;
}

}  // namespace mailstead::net
