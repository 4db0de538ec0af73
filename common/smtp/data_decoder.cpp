#include "common/smtp/data_decoder.h"

#include <cstring>

namespace mailstead::smtp {

void BodyChecker::count(std::string_view decoded_run, bool line_ended) {
    octets_ += decoded_run.size();
    // The limit that is met first decides, however the bytes were cut.
    const bool header_first = limits_.header_octets < limits_.message_octets;
    if (in_header_ && header_first && octets_ > limits_.header_octets) refuse(BodyFault::header_too_large);
    if (octets_ > limits_.message_octets) refuse(BodyFault::too_large);
    if (!in_header_) return;
    // The header section ends at the first empty line (RFC 5322, 2.1).
    line_octets_ += decoded_run.size();
    if (!line_ended) return;
    if (line_octets_ == 2) in_header_ = false;
    line_octets_ = 0;
}

void DataDecoder::emit(std::string_view run, bool line_ended, std::string& out) {
    check_.count(run, line_ended);
    if (!check_.fault()) out.append(run);
}

// Text up to and including the next line ending, or up to a CR whose next byte is not here yet.
std::size_t DataDecoder::feed_in_line(std::string_view in, std::string& out) {
    const void* found = std::memchr(in.data(), '\n', in.size());
    const std::size_t newline =
        found ? static_cast<std::size_t>(static_cast<const char*>(found) - in.data()) : in.size();
    const std::string_view line = in.substr(0, newline);
    const std::size_t cr = line.find('\r');
    if (cr == std::string_view::npos) {
        if (!found) {
            emit(line, false, out);
            return line.size();
        }
        // RFC 5321, 2.3.8: an LF alone ends nothing; what follows is not at the start of a line.
        emit(in.substr(0, newline + 1), false, out);
        check_.refuse(BodyFault::bare_line_ending);
        return newline + 1;
    }
    if (cr + 1 < newline) {
        emit(in.substr(0, cr + 1), false, out);
        check_.refuse(BodyFault::bare_line_ending);
        return cr + 1;
    }
    if (!found) {
        emit(line.substr(0, cr), false, out);
        state_ = State::cr;
        return line.size();
    }
    emit(in.substr(0, newline + 1), true, out);
    state_ = State::line_start;
    return newline + 1;
}

std::size_t DataDecoder::feed(std::string_view in, std::string& out) {
    std::size_t at = 0;
    while (at < in.size() && state_ != State::done) {
        const char c = in[at];
        switch (state_) {
            case State::line_start:
                // RFC 5321, 4.5.2: a leading dot is either the end or was put there by the sender.
                if (c == '.') {
                    state_ = State::dot;
                    ++at;
                } else {
                    state_ = State::in_line;
                }
                break;
            case State::in_line:
                at += feed_in_line(in.substr(at), out);
                break;
            case State::cr:
                if (c == '\n') {
                    emit("\r\n", true, out);
                    state_ = State::line_start;
                    ++at;
                } else {
                    emit("\r", false, out);
                    check_.refuse(BodyFault::bare_line_ending);
                    state_ = State::in_line;
                }
                break;
            case State::dot:
                if (c == '\r') {
                    state_ = State::dot_cr;
                    ++at;
                } else {
                    state_ = State::in_line;
                }
                break;
            case State::dot_cr:
                if (c == '\n') {
                    state_ = State::done;
                    ++at;
                } else {
                    emit("\r", false, out);
                    check_.refuse(BodyFault::bare_line_ending);
                    state_ = State::in_line;
                }
                break;
            case State::done:
                break;
        }
    }
    return at;
}

}  // namespace mailstead::smtp
