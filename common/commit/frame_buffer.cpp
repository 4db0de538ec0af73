#include "common/commit/frame_buffer.h"

#include <cstdlib>
#include <new>

namespace mailstead::commit {

FrameBuffer::FrameBuffer() {
    reserve(std::size_t{64} * 1024);
    std::memset(data_.get(), 0, kBlock + kFrameHeader);
    clear();
}

void FrameBuffer::Free::operator()(char* p) const {
    std::free(p);
}

void FrameBuffer::reserve(std::size_t size) {
    const std::size_t wanted = (size + kBlock - 1) / kBlock * kBlock;
    if (wanted <= capacity_) return;
    const std::size_t grown = wanted > capacity_ * 2 ? wanted : capacity_ * 2;
    std::unique_ptr<char, Free> larger(static_cast<char*>(std::aligned_alloc(kBlock, grown)));
    if (!larger) throw std::bad_alloc();
    if (data_) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = grown;
}

void FrameBuffer::varint(std::uint64_t v) {
    char digits[10];
    std::size_t count = 0;
    for (; v >= 0x80; v >>= 7) digits[count++] = static_cast<char>(v | 0x80);
    digits[count++] = static_cast<char>(v);
    raw(std::string_view(digits, count));
}

std::string_view FrameBuffer::frame(bool with_segment_header) {
    const std::size_t size = frame_size(payload_size());
    reserve(kBlock + size);
    std::memset(data_.get() + size_, 0, kBlock + size - size_);
    return with_segment_header ? std::string_view(data_.get(), kBlock + size)
                               : std::string_view(data_.get() + kBlock, size);
}

}  // namespace mailstead::commit
