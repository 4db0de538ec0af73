// The one binary encoding of Mailstead: messages between daemons, journal records, database values.
// Integers are LEB128 varints or fixed little-endian; strings carry their length. Readers check every bound.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace mailstead {

// Appends to a string that it owns.
class ByteWriter {
public:
    void u8(std::uint8_t v) { out_ += static_cast<char>(v); }
    void fixed32(std::uint32_t v) { fixed(v); }
    void fixed64(std::uint64_t v) { fixed(v); }
    void varint(std::uint64_t v) {
        while (v >= 0x80) {
            out_ += static_cast<char>(v | 0x80);
            v >>= 7;
        }
        out_ += static_cast<char>(v);
    }
    void boolean(bool v) { u8(v ? 1 : 0); }
    void string(std::string_view v) {
        varint(v.size());
        out_.append(v);
    }
    // Without a length: the reader must know it.
    void raw(std::string_view v) { out_.append(v); }

    const std::string& bytes() const { return out_; }
    std::string take() { return std::move(out_); }

private:
    template <class Number>
    void fixed(Number v) {
        char buffer[sizeof v];
        std::memcpy(buffer, &v, sizeof v);
        out_.append(buffer, sizeof v);
    }
    std::string out_;
};

// Reads from a view that must outlive it. After the first read past the end (or an overlong varint) `ok()` is
// false and every read gives zero or an empty view; callers check once at the end.
class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    std::uint8_t u8() {
        const std::string_view b = raw(1);
        return b.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(b[0]);
    }
    std::uint32_t fixed32() { return fixed<std::uint32_t>(); }
    std::uint64_t fixed64() { return fixed<std::uint64_t>(); }
    std::uint64_t varint() {
        std::uint64_t v = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const std::uint8_t byte = u8();
            v |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
            if ((byte & 0x80) == 0) return v;
        }
        ok_ = false;
        return 0;
    }
    // A varint that must fit 32 bits.
    std::uint32_t varint32() {
        const std::uint64_t v = varint();
        if (v > UINT32_MAX) ok_ = false;
        return ok_ ? static_cast<std::uint32_t>(v) : 0;
    }
    bool boolean() { return u8() != 0; }
    std::string_view string() { return raw(varint()); }
    std::string_view raw(std::uint64_t size) {
        if (!ok_ || size > rest_.size()) {
            ok_ = false;
            return {};
        }
        const std::string_view piece = rest_.substr(0, static_cast<std::size_t>(size));
        rest_.remove_prefix(piece.size());
        return piece;
    }
    // A count of items that each take at least one byte, so that a lying count cannot make the caller
    // allocate.
    std::size_t count() {
        const std::uint64_t n = varint();
        if (n > rest_.size()) ok_ = false;
        return ok_ ? static_cast<std::size_t>(n) : 0;
    }

    bool ok() const { return ok_; }
    bool at_end() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }

private:
    template <class Number>
    Number fixed() {
        Number v{};
        const std::string_view b = raw(sizeof v);
        if (b.size() == sizeof v) std::memcpy(&v, b.data(), sizeof v);
        return v;
    }
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace mailstead
