// The bytes of one journal frame, collected in memory that direct I/O takes: [segment header page][frame
// header][payload][padding].
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace mailstead::commit {

inline constexpr std::size_t kBlock = 4096;
inline constexpr std::size_t kFrameHeader = 48;

class FrameBuffer {
public:
    FrameBuffer();
    void clear() { size_ = kBlock + kFrameHeader; }

    void u8(std::uint8_t v) { raw(std::string_view(reinterpret_cast<const char*>(&v), 1)); }
    void varint(std::uint64_t v);
    void string(std::string_view v) {
        varint(v.size());
        raw(v);
    }
    void raw(std::string_view bytes) {
        if (bytes.empty()) return;
        reserve(size_ + bytes.size());
        std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
        size_ += bytes.size();
    }

    std::size_t payload_size() const { return size_ - kBlock - kFrameHeader; }
    std::string_view payload() const { return {data_.get() + kBlock + kFrameHeader, payload_size()}; }

    // The page before the frame, for a segment's header.
    char* segment_header() { return data_.get(); }
    char* frame_header() { return data_.get() + kBlock; }
    // Frame header, payload and zeros up to a whole block; with the page before on request.
    std::string_view frame(bool with_segment_header);

    static std::size_t frame_size(std::size_t payload_size) {
        return (kFrameHeader + payload_size + kBlock - 1) / kBlock * kBlock;
    }

private:
    struct Free {
        void operator()(char* p) const;
    };
    void reserve(std::size_t size);
    std::unique_ptr<char, Free> data_;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
};

}  // namespace mailstead::commit
