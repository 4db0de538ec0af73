// Questions to the DNS and the answers to them, as values. Pure: whoever holds a question decides who answers
// it (the resolver, or a table in a test).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/clock.h"

namespace mailstead::dns {

// An IPv4 or IPv6 address.
class IpAddress {
public:
    using V4 = std::array<std::uint8_t, 4>;
    using V6 = std::array<std::uint8_t, 16>;

    // 0.0.0.0
    constexpr IpAddress() = default;
    static constexpr IpAddress v4(const V4& bytes) {
        IpAddress address;
        for (std::size_t i = 0; i < 4; ++i) address.bytes_[i] = bytes[i];
        return address;
    }
    static constexpr IpAddress v6(const V6& bytes) {
        IpAddress address;
        address.is_v6_ = true;
        address.bytes_ = bytes;
        return address;
    }
    // `192.0.2.1` (no leading zeros), `2001:db8::1`; no zone, no brackets. nullopt otherwise.
    static std::optional<IpAddress> parse(std::string_view text);

    constexpr bool is_v4() const { return !is_v6_; }
    constexpr bool is_v6() const { return is_v6_; }
    // Network order: 4 bytes or 16. The view ends with this object.
    std::string_view bytes() const {
        return {reinterpret_cast<const char*>(bytes_.data()), is_v6_ ? bytes_.size() : 4};
    }
    // The IPv4 address inside ::ffff:0:0/96, which is how a dual-stack socket names an IPv4 peer; itself
    // otherwise.
    IpAddress unmapped() const;

    // `192.0.2.1`; `2001:db8::1` as RFC 5952 has it.
    std::string to_string() const;
    // As EHLO and Received have it: `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321, 4.1.3).
    std::string literal() const;
    // Where the PTR records lie: `1.2.0.192.in-addr.arpa`, `1.0.[...].8.b.d.0.1.0.0.2.ip6.arpa` (RFC
    // 1035, 3.5; RFC 3596, 2.5).
    std::string reverse_name() const;

    // 127.0.0.0/8 or ::1, mapped or not.
    bool is_loopback() const;
    // Loopback, RFC 1918, 100.64.0.0/10, link-local, fc00::/7: not seen on the public internet.
    bool is_private() const;

    friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

private:
    bool is_v6_ = false;
    V6 bytes_{};  // an IPv4 address takes the first four, the rest stays zero
};

// All addresses that share the first `prefix` bits with `address`.
struct IpNetwork {
    IpAddress address;
    unsigned prefix = 32;  // at most 32 or 128

    // `192.0.2.0/24`, `2001:db8::/32`, or one address. nullopt otherwise.
    static std::optional<IpNetwork> parse(std::string_view text);
    // False for an address of the other family.
    bool contains(const IpAddress& other) const;
    std::string to_string() const;
    friend auto operator<=>(const IpNetwork&, const IpNetwork&) = default;
};

// The numbers of RFC 1035, 3.2.2 and its successors.
enum class RecordType : std::uint16_t {
    a = 1,
    cname = 5,
    ptr = 12,
    mx = 15,
    txt = 16,
    aaaa = 28,
    srv = 33,
    tlsa = 52,
};
// `A`, `MX`, ...
std::string_view to_string(RecordType type);
std::optional<RecordType> parse_record_type(std::string_view text);

// Names in questions and answers are ASCII without a final dot; the root is the empty string. Answers come in
// lower case. A name in an answer is a stranger's text: it may hold any byte, and one with an escape (`\`) is
// no host name.

struct Mx {
    std::uint16_t preference = 0;
    std::string exchange;  // empty for the null MX (RFC 7505)
    friend auto operator<=>(const Mx&, const Mx&) = default;
};
struct Txt {
    std::string text;  // the strings of one record joined (RFC 7208, 3.3; RFC 6376, 3.6.2.2)
    friend auto operator<=>(const Txt&, const Txt&) = default;
};
struct Tlsa {
    std::uint8_t usage = 0;
    std::uint8_t selector = 0;
    std::uint8_t matching_type = 0;
    std::string data;  // as bytes
    friend auto operator<=>(const Tlsa&, const Tlsa&) = default;
};
// What PTR and CNAME hold.
struct Target {
    std::string name;
    friend auto operator<=>(const Target&, const Target&) = default;
};
struct Srv {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target;  // empty: the service is not offered (RFC 2782)
    friend auto operator<=>(const Srv&, const Srv&) = default;
};
using Record = std::variant<IpAddress, Mx, Txt, Tlsa, Target, Srv>;

struct Question {
    std::string name;
    RecordType type = RecordType::a;
    friend auto operator<=>(const Question&, const Question&) = default;
};

enum class Outcome : std::uint8_t {
    found,              // at least one record of the type
    no_such_name,       // NXDOMAIN
    no_such_record,     // the name exists, without this type
    transient_failure,  // SERVFAIL, timeout, bogus DNSSEC, no server: asking later may help
};

// What came back for one question. CNAMEs have been followed already, except when CNAME was asked for.
template <class T>
struct Answer {
    Outcome outcome = Outcome::transient_failure;
    std::vector<T> records;  // not empty exactly when found
    Seconds ttl{0};          // the smallest of the chain; of the denial where nothing was found (0: unknown)
    bool authenticated = false;  // the AD bit of a resolver we trust: RFC 4035, 3.2.3; covers denials too
    std::string error;           // for people, of a transient failure

    bool found() const { return outcome == Outcome::found; }
    // The DNS said that there is nothing (RFC 7208, 4.6.4 calls this a void lookup).
    bool absent() const { return outcome == Outcome::no_such_name || outcome == Outcome::no_such_record; }
    bool failed() const { return outcome == Outcome::transient_failure; }

    static Answer of(std::vector<T> found_records, Seconds lifetime = Seconds{300},
                     bool is_authenticated = false) {
        Answer answer;
        answer.outcome = found_records.empty() ? Outcome::no_such_record : Outcome::found;
        answer.records = std::move(found_records);
        answer.ttl = lifetime;
        answer.authenticated = is_authenticated;
        return answer;
    }
    static Answer no_name() {
        Answer answer;
        answer.outcome = Outcome::no_such_name;
        return answer;
    }
    static Answer no_record() {
        Answer answer;
        answer.outcome = Outcome::no_such_record;
        return answer;
    }
    static Answer failure(std::string_view why) {
        Answer answer;
        answer.error = why;
        return answer;
    }
};
// The form in which state machines are answered.
using AnyAnswer = Answer<Record>;

// The same answer with records of kind T; records of other kinds are left out (found turns to no_such_record
// when none is left).
template <class T>
Answer<T> narrow(AnyAnswer any) {
    Answer<T> answer;
    answer.outcome = any.outcome;
    answer.ttl = any.ttl;
    answer.authenticated = any.authenticated;
    answer.error = std::move(any.error);
    for (Record& record : any.records) {
        if (T* typed = std::get_if<T>(&record)) answer.records.push_back(std::move(*typed));
    }
    if (answer.found() && answer.records.empty()) answer.outcome = Outcome::no_such_record;
    return answer;
}
template <class T>
AnyAnswer widen(Answer<T> typed) {
    AnyAnswer any;
    any.outcome = typed.outcome;
    any.ttl = typed.ttl;
    any.authenticated = typed.authenticated;
    any.error = std::move(typed.error);
    any.records.reserve(typed.records.size());
    for (T& record : typed.records) any.records.emplace_back(std::move(record));
    return any;
}

// Whether `name` can be asked for at all: 1 to 253 bytes, labels of 1 to 63 bytes (RFC 1035, 2.3.4), a final
// dot not counted.
bool is_askable(std::string_view name);

}  // namespace mailstead::dns
