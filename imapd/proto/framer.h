// Finds commands in the bytes of a client: lines, and literals inside them (RFC 9051, 4.3; RFC 7888). Pure;
// one owner.
//
// The answers do not depend on how the bytes were cut into packets. Every size is checked before anything is
// stored, and after garbage the framer goes on with the next line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mailstead::imapd::proto {

struct FramerLimits {
    std::size_t line;       // bytes of one line without its CRLF
    std::size_t command;    // bytes of a whole command held in memory, literals included
    std::uint64_t literal;  // bytes of one literal held in memory
};
// A stranger gets as much as LITERAL- would give him (RFC 7888, 5). A user's UID sets may be long.
inline constexpr FramerLimits kLimitsBeforeLogin{8 * 1024, 16 * 1024, 4096};
inline constexpr FramerLimits kLimitsAfterLogin{64 * 1024, 1024 * 1024, 512 * 1024};
// A non-synchronizing literal that nobody wants is read and thrown away up to this size; above it the
// connection ends.
inline constexpr std::uint64_t kMaxSkippedLiteral = std::uint64_t{256} * 1024 * 1024;

// What ends the part of a line before a literal: ["~"] "{" number64 ["+"] "}"
struct Literal {
    std::uint64_t size = 0;
    bool synchronizing = true;  // the client waits for "+" before it sends the bytes
    bool binary = false;        // literal8: may hold NUL
};

class Framer {
public:
    explicit Framer(FramerLimits limits) : limits_(limits) {}

    enum class Event {
        need_input,  // all of the input was taken; more is needed
        command,     // command() is complete
        literal,     // literal() was announced; the owner answers with keep(), stream(), skip() or cancel()
        chunk,  // chunk() is the next piece of a literal that is streamed; literal_left() more bytes follow
        rejected,  // a command over a limit has ended; rejected_tag() and rejection() say which and why
        fatal      // cannot be resynchronized: say BYE and close
    };
    enum class Rejection { none, line_too_long, literal_too_big, command_too_big };

    // Takes bytes from the front of `input` up to the next event. A command that lies whole in `input` is not
    // copied, so that `command()` and `chunk()` are good only until the next call and as long as the bytes of
    // `input`.
    Event next(std::string_view& input);

    // The lines of the command without the last CRLF. A kept literal follows its "{n}" CRLF; of a streamed
    // one only
    // "{n}" CRLF is here. Each line end inside is CRLF, whatever the client sent.
    std::string_view command() const { return command_; }
    const Literal& literal() const { return literal_; }
    std::string_view chunk() const { return chunk_; }
    std::uint64_t literal_left() const { return left_; }

    // At Event::literal: the command so far, "{n}" CRLF included.
    std::string_view prefix() const { return buffer_; }
    // Whether keep() would stay within the limits; if not, keep() is the same as skip() or cancel().
    bool fits() const;
    void keep();
    void stream();
    // The literal and the rest of the command are thrown away, then Event::rejected comes. A synchronizing
    // literal has not been sent, so its command ends at once: Event::rejected is the next event.
    void refuse(Rejection why);

    std::string_view rejected_tag() const;
    Rejection rejection() const { return rejection_; }

    // While set, lines are taken as they are: SASL responses and the DONE of IDLE hold no literals.
    void set_plain_lines(bool plain) { plain_lines_ = plain; }
    void set_limits(FramerLimits limits) { limits_ = limits; }
    // Forgets a command begun: after STARTTLS nothing that came in clear may count (RFC 9051, 6.2.1).
    void reset();
    // Whether a command has begun and not ended.
    bool in_command() const {
        return mode_ != Mode::finished &&
               (mode_ != Mode::line || !buffer_.empty() || rejection_ != Rejection::none);
    }
    // Gives memory back that an earlier large command took. Only between commands.
    void release_memory();

private:
    enum class Mode { line, decision, keep, stream, skip, cancelled, finished, dead };

    Event step(std::string_view& input);
    Event take_line(std::string_view& input);
    Event end_line(std::string_view line);
    Event end_rejected_line(std::string_view line_tail);
    Event finish(std::string_view command);
    void begin_next_command();
    void reject(Rejection why, std::string_view start);
    void reject_long_line(std::string_view piece);
    void remember_tail(std::string_view bytes);

    FramerLimits limits_;
    Mode mode_ = Mode::line;
    Rejection rejection_ = Rejection::none;
    bool plain_lines_ = false;
    std::string buffer_;
    std::size_t line_start_ = 0;  // where the current line begins in buffer_
    std::string tail_;            // the last bytes of a line that is being thrown away
    std::string_view command_;
    std::string_view chunk_;
    Literal literal_;
    std::uint64_t left_ = 0;
};

}  // namespace mailstead::imapd::proto
