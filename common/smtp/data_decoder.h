// The bytes after DATA: dots removed, the end found, bare CR and LF refused (RFC
// 5321, 2.3.8, 4.1.1.4, 4.5.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailstead::smtp {

// Why a message cannot be taken, found while its bytes go by. The first fault counts.
enum class BodyFault : std::uint8_t {
    bare_line_ending,  // a CR without LF or an LF without CR: 550 5.6.0 (smuggling: RFC 5321, 2.3.8)
    too_large,         // 552 5.3.4
    header_too_large,  // 552 5.3.4
};

struct BodyLimits {
    std::uint64_t message_octets = 50u << 20;
    std::uint64_t header_octets = 1u << 20;  // up to the first empty line
};

// What DATA and BDAT both check in the decoded stream: line endings and sizes. Fed runs in order, none
// reaching over the end of a line; a run that ends in the offending byte is counted before it is refused, so
// that the same fault is the first however the bytes were cut.
class BodyChecker {
public:
    explicit BodyChecker(BodyLimits limits) : limits_(limits) {}

    void count(std::string_view decoded_run, bool line_ended);
    void refuse(BodyFault fault) {
        if (!fault_) fault_ = fault;
    }
    std::optional<BodyFault> fault() const { return fault_; }
    std::uint64_t octets() const { return octets_; }

private:
    BodyLimits limits_;
    std::optional<BodyFault> fault_;
    std::uint64_t octets_ = 0;
    std::uint64_t line_octets_ = 0;  // of the unfinished line
    bool in_header_ = true;
};

// One message. Only CRLF "." CRLF ends it, whatever faults were met before: the session stays in sync with
// the sender, and nothing that follows a disguised end is taken for commands. Keeps no line, so lines of any
// length cost nothing.
class DataDecoder {
public:
    explicit DataDecoder(BodyLimits limits = {}) : check_(limits) {}

    // Consumes from `in`, up to the end of the message if that is there; appends the decoded octets to `out`
    // (nothing after a fault). Returns how many bytes of `in` belong to the message.
    std::size_t feed(std::string_view in, std::string& out);
    bool done() const { return state_ == State::done; }
    std::optional<BodyFault> fault() const { return check_.fault(); }
    // Decoded octets so far, those dropped after a fault included.
    std::uint64_t octets() const { return check_.octets(); }

private:
    enum class State : std::uint8_t { line_start, in_line, cr, dot, dot_cr, done };
    std::size_t feed_in_line(std::string_view in, std::string& out);
    void emit(std::string_view run, bool line_ended, std::string& out);

    BodyChecker check_;
    State state_ = State::line_start;
};

}  // namespace mailstead::smtp
