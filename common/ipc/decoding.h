// Checked pieces of messages. Private to common/ipc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace mailstead::ipc {

inline Parsed<std::string> read_text(ByteReader& in, std::size_t at_most) {
    const std::string_view text = in.string();
    if (!in.ok()) return ParseError("truncated message", 0);
    if (text.size() > at_most) return ParseError("text too long", 0);
    return std::string(text);
}

// One byte, 0 or 1.
inline Parsed<bool> read_flag(ByteReader& in) {
    const std::uint8_t flag = in.u8();
    if (!in.ok() || flag > 1) return ParseError("not a flag", 0);
    return flag == 1;
}

// One byte, from 0 to `last`.
template <class Enum>
Parsed<Enum> read_enum(ByteReader& in, Enum last) {
    const std::uint8_t number = in.u8();
    if (!in.ok() || number > static_cast<std::uint8_t>(last)) return ParseError("unknown value", 0);
    return static_cast<Enum>(number);
}

// The value, if the whole message was well-formed and nothing is left.
template <class T>
Parsed<T> finish(const ByteReader& in, T value) {
    if (!in.ok()) return ParseError("truncated message", 0);
    if (!in.at_end()) return ParseError("bytes after the message", 0);
    return value;
}

}  // namespace mailstead::ipc
