// Checked pieces of messages. Private to common/ipc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/credential.h"
#include "common/base/result.h"
#include "common/net/socket_address.h"

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

inline void write_ip(ByteWriter& out, const net::IpAddress& ip) {
    out.string(net::ip_bytes(ip));
}

inline Parsed<net::IpAddress> read_ip(ByteReader& in) {
    return net::ip_from_bytes(in.string());
}

inline void write_time(ByteWriter& out, Time time) {
    out.fixed64(static_cast<std::uint64_t>(time.time_since_epoch().count()));
}

inline Time read_time(ByteReader& in) {
    return Time(Milliseconds(static_cast<std::int64_t>(in.fixed64())));
}

inline void write_credential(ByteWriter& out, const Credential& credential) {
    out.u8(static_cast<std::uint8_t>(credential.kind));
    out.string(credential.name);
    out.fixed64(credential.fingerprint);
}

inline Parsed<Credential> read_credential(ByteReader& in) {
    constexpr std::size_t kMaxName = 256;
    TRY(kind, read_enum(in, Credential::Kind::token));
    TRY(name, read_text(in, kMaxName));
    return Credential{kind, std::move(name), in.fixed64()};
}

// The value, if the whole message was well-formed and nothing is left.
template <class T>
Parsed<T> finish(const ByteReader& in, T value) {
    if (!in.ok()) return ParseError("truncated message", 0);
    if (!in.at_end()) return ParseError("bytes after the message", 0);
    return value;
}

}  // namespace mailstead::ipc
