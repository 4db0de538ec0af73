// Keys of databases: big-endian numbers, so that LMDB's byte order is numeric order. A text comes last,
// without a length.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "common/kv/env.h"

namespace mailstead::kv {

// Builds a key in place: `Key().u32(mailbox).u32(uid).view()`. What does not fit kMaxKeySize makes the key
// empty, which no database takes.
class Key {
public:
    Key() = default;
    Key& u8(std::uint8_t v) { return number(v, 1); }
    Key& u16(std::uint16_t v) { return number(v, 2); }
    Key& u32(std::uint32_t v) { return number(v, 4); }
    Key& u64(std::uint64_t v) { return number(v, 8); }
    Key& text(std::string_view v) {
        if (v.size() > bytes_.size() - size_) {
            overflow_ = true;
            return *this;
        }
        std::memcpy(bytes_.data() + size_, v.data(), v.size());
        size_ += v.size();
        return *this;
    }

    std::string_view view() const {
        return overflow_ ? std::string_view() : std::string_view(bytes_.data(), size_);
    }
    operator std::string_view() const { return view(); }  // NOLINT: a key is a view wherever one is wanted

private:
    Key& number(std::uint64_t v, std::size_t width) {
        if (width > bytes_.size() - size_) {
            overflow_ = true;
            return *this;
        }
        for (std::size_t i = 0; i < width; ++i)
            bytes_[size_ + i] = static_cast<char>(v >> (8 * (width - 1 - i)));
        size_ += width;
        return *this;
    }
    std::array<char, kMaxKeySize> bytes_;
    std::size_t size_ = 0;
    bool overflow_ = false;
};

// Takes a key apart again, from a view that must outlive it. Past the end ok() is false and numbers are zero.
class KeyReader {
public:
    explicit KeyReader(std::string_view key) : rest_(key) {}
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }
    std::string_view rest() const { return rest_; }
    bool ok() const { return ok_; }

private:
    std::uint64_t number(std::size_t width) {
        if (rest_.size() < width) {
            ok_ = false;
            return 0;
        }
        std::uint64_t v = 0;
        for (std::size_t i = 0; i < width; ++i) v = v << 8 | static_cast<unsigned char>(rest_[i]);
        rest_.remove_prefix(width);
        return v;
    }
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace mailstead::kv
