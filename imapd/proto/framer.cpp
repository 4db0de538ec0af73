#include "imapd/proto/framer.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/base/text.h"

namespace mailstead::imapd::proto {
namespace {

// Enough of a line's end to see a literal announced there: "~{" 20 digits "+}" CR.
constexpr std::size_t kTail = 32;
// Enough of a command's start to find its tag.
constexpr std::size_t kHead = 128;
constexpr std::size_t kLongestTag = 64;
constexpr std::size_t kMostDigits = 20;

struct Announcement {
    Literal literal;
    bool absurd = false;  // more digits than a number64 has
};

// literal = "{" number64 ["+"] "}"    literal8 = "~{" number64 ["+"] "}"   (RFC 9051, 9; RFC 7888, 8)
std::optional<Announcement> announced(std::string_view line) {
    if (!line.ends_with('}')) return std::nullopt;
    line.remove_suffix(1);
    Announcement found;
    if (line.ends_with('+')) {
        found.literal.synchronizing = false;
        line.remove_suffix(1);
    }
    std::size_t digits = 0;
    while (digits < line.size() && digits < kMostDigits && text::is_digit(line[line.size() - 1 - digits]))
        ++digits;
    if (digits == 0 || digits == line.size() || line[line.size() - 1 - digits] != '{') return std::nullopt;
    const std::string_view number = line.substr(line.size() - digits);
    const auto size = text::parse_number<std::uint64_t>(number);
    found.absurd = !size || *size > INT64_MAX;
    found.literal.size = size.value_or(0);
    line.remove_suffix(digits + 1);
    found.literal.binary = line.ends_with('~');
    return found;
}

std::string_view without_cr(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

}  // namespace

Framer::Event Framer::next(std::string_view& input) {
    if (mode_ == Mode::finished) begin_next_command();
    Event event = step(input);
    while (event == Event::need_input && !input.empty() && mode_ != Mode::decision) event = step(input);
    return event;
}

Framer::Event Framer::step(std::string_view& input) {
    switch (mode_) {
        case Mode::decision:  // the owner has not answered: nothing can go on
        case Mode::finished:
            return Event::need_input;
        case Mode::dead:
            return Event::fatal;
        case Mode::cancelled:
            mode_ = Mode::finished;
            return Event::rejected;
        case Mode::keep:
        case Mode::stream:
        case Mode::skip: {
            const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
            const std::string_view piece = input.substr(0, size);
            input.remove_prefix(size);
            left_ -= size;
            const Mode mode = mode_;
            if (mode == Mode::keep) buffer_.append(piece);
            if (left_ == 0) {
                mode_ = Mode::line;
                line_start_ = buffer_.size();
            }
            if (mode == Mode::stream && size != 0) {
                chunk_ = piece;
                return Event::chunk;
            }
            if (left_ != 0) return Event::need_input;
            break;
        }
        case Mode::line:
            break;
    }
    return take_line(input);
}

Framer::Event Framer::take_line(std::string_view& input) {
    const std::size_t end = input.find('\n');
    const std::string_view piece = input.substr(0, end);
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);

    if (rejection_ != Rejection::none) {
        remember_tail(piece);
        return end == std::string_view::npos ? Event::need_input : end_rejected_line(without_cr(tail_));
    }
    const std::size_t length = buffer_.size() - line_start_ + piece.size();
    if (end == std::string_view::npos) {
        // One byte more than the limit may be the CR.
        if (length > limits_.line + 1) {
            reject_long_line(piece);
            return Event::need_input;
        }
        buffer_.append(piece);
        return Event::need_input;
    }
    if (length > limits_.line + 1) {
        reject_long_line(piece);
        return end_rejected_line(without_cr(tail_));
    }
    if (buffer_.empty()) return end_line(without_cr(piece));
    buffer_.append(piece);
    if (buffer_.size() > line_start_ && buffer_.back() == '\r') buffer_.pop_back();
    return end_line(std::string_view(buffer_).substr(line_start_));
}

Framer::Event Framer::end_line(std::string_view line) {
    const bool in_buffer = !buffer_.empty();
    if (line.size() > limits_.line || (in_buffer && buffer_.size() > limits_.command)) {
        tail_.clear();
        remember_tail(line);
        const Rejection why =
            line.size() > limits_.line ? Rejection::line_too_long : Rejection::command_too_big;
        reject(why, in_buffer ? std::string_view(buffer_) : line);
        return end_rejected_line(tail_);
    }
    const auto found = plain_lines_ ? std::nullopt : announced(line);
    if (!found) return finish(in_buffer ? std::string_view(buffer_) : line);
    if (!in_buffer) buffer_.assign(line);
    if (found->absurd) {
        if (found->literal.synchronizing) {
            reject(Rejection::literal_too_big, buffer_);
            mode_ = Mode::finished;
            return Event::rejected;
        }
        mode_ = Mode::dead;
        return Event::fatal;
    }
    buffer_.append("\r\n");
    literal_ = found->literal;
    mode_ = Mode::decision;
    return Event::literal;
}

Framer::Event Framer::end_rejected_line(std::string_view line_tail) {
    const auto found = plain_lines_ ? std::nullopt : announced(line_tail);
    tail_.clear();
    if (!found || found->literal.synchronizing) {
        mode_ = Mode::finished;
        return Event::rejected;
    }
    if (found->absurd || found->literal.size > kMaxSkippedLiteral) {
        mode_ = Mode::dead;
        return Event::fatal;
    }
    left_ = found->literal.size;
    mode_ = left_ == 0 ? Mode::line : Mode::skip;
    return Event::need_input;
}

Framer::Event Framer::finish(std::string_view command) {
    command_ = command;
    mode_ = Mode::finished;
    return Event::command;
}

void Framer::begin_next_command() {
    buffer_.clear();
    tail_.clear();
    command_ = chunk_ = {};
    line_start_ = 0;
    left_ = 0;
    rejection_ = Rejection::none;
    mode_ = Mode::line;
}

// Keeps the start of the command for its tag and lets go of the rest.
void Framer::reject(Rejection why, std::string_view start) {
    rejection_ = why;
    // Not more than a line in parts is sure to have brought by now, so that packets make no difference.
    std::string head(start.substr(0, std::min(kHead, limits_.line)));
    buffer_ = std::move(head);
    line_start_ = buffer_.size();
}

void Framer::reject_long_line(std::string_view piece) {
    tail_.clear();
    remember_tail(std::string_view(buffer_).substr(line_start_));
    remember_tail(piece);
    buffer_.append(piece.substr(0, kHead));
    reject(Rejection::line_too_long, buffer_);
}

void Framer::remember_tail(std::string_view bytes) {
    if (bytes.size() >= kTail) {
        tail_.assign(bytes.substr(bytes.size() - kTail));
        return;
    }
    tail_.append(bytes);
    if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
}

bool Framer::fits() const {
    return literal_.size <= limits_.literal && literal_.size <= limits_.command &&
           buffer_.size() <= limits_.command - literal_.size;
}

void Framer::keep() {
    if (mode_ != Mode::decision) return;
    if (!fits()) return refuse(Rejection::literal_too_big);
    left_ = literal_.size;
    line_start_ = buffer_.size();
    mode_ = left_ == 0 ? Mode::line : Mode::keep;
}

void Framer::stream() {
    if (mode_ != Mode::decision) return;
    left_ = literal_.size;
    line_start_ = buffer_.size();
    mode_ = left_ == 0 ? Mode::line : Mode::stream;
}

void Framer::refuse(Rejection why) {
    reject(why, buffer_);
    if (literal_.synchronizing) {
        mode_ = Mode::cancelled;
        return;
    }
    if (literal_.size > kMaxSkippedLiteral) {
        mode_ = Mode::dead;
        return;
    }
    left_ = literal_.size;
    mode_ = left_ == 0 ? Mode::line : Mode::skip;
}

std::string_view Framer::rejected_tag() const {
    const std::string_view head(buffer_);
    const std::size_t end = head.find_first_of(" \r\n");
    if (end == std::string_view::npos) return "*";
    const std::string_view tag = head.substr(0, end);
    const auto bad = [](char c) {
        return c <= ' ' || c >= 0x7F || std::string_view("(){%*\"\\+").find(c) != std::string_view::npos;
    };
    if (tag.empty() || tag.size() > kLongestTag || std::any_of(tag.begin(), tag.end(), bad)) return "*";
    return tag;
}

void Framer::reset() {
    begin_next_command();
    plain_lines_ = false;
    release_memory();
}

void Framer::release_memory() {
    if (mode_ == Mode::finished) begin_next_command();
    if (in_command()) return;
    std::string().swap(buffer_);
    std::string().swap(tail_);
}

}  // namespace mailstead::imapd::proto
