#include "imapd/pop3/core/multiline.h"

#include <algorithm>

namespace mailstead::imapd::pop3 {

bool MultilineWriter::feed(std::string_view piece, std::string& out) {
    while (!piece.empty() && !full_) {
        if (line_bytes_ == 0) {
            if (in_body_ && body_lines_ && *body_lines_ == 0) {
                full_ = true;
                break;
            }
            if (piece.front() == '.') out += '.';
        }
        const std::size_t newline = piece.find('\n');
        const std::string_view text = piece.substr(0, newline);
        out += text;
        if (!text.empty()) after_cr_ = text.back() == '\r';
        line_bytes_ += text.size();
        if (newline == std::string_view::npos) break;
        out += after_cr_ ? "\n" : "\r\n";
        if (in_body_ && body_lines_) --*body_lines_;
        const bool blank = line_bytes_ == (after_cr_ ? 1U : 0U);
        in_body_ = in_body_ || blank;
        line_bytes_ = 0;
        after_cr_ = false;
        piece.remove_prefix(newline + 1);
    }
    return !full_;
}

void MultilineWriter::finish(std::string& out) {
    if (line_bytes_ != 0) out += after_cr_ ? "\n" : "\r\n";
    out += ".\r\n";
}

}  // namespace mailstead::imapd::pop3
