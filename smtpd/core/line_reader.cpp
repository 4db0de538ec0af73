#include "smtpd/core/line_reader.h"

namespace mailstead::smtpd {
namespace {

// RFC 5321, 2.3.8: only CRLF ends a line, and neither stands elsewhere.
Line checked(std::string_view with_newline) {
    std::string_view text = with_newline.substr(0, with_newline.size() - 1);
    if (text.empty() || text.back() != '\r') return {.text = text, .fault = LineFault::bad_ending};
    text.remove_suffix(1);
    const bool clean = text.find('\r') == std::string_view::npos;
    return {.text = text, .fault = clean ? LineFault::none : LineFault::bad_ending};
}

}  // namespace

LineReader::Found LineReader::next(std::string_view buffered, std::size_t limit) {
    const std::size_t newline = buffered.find('\n', looked_at_);
    if (newline == std::string_view::npos) {
        looked_at_ = buffered.size();
        if (!skipping_ && buffered.size() <= limit + 1) return {};
        // Too long already: nothing of it is kept, only its end is waited for.
        skipping_ = true;
        looked_at_ = 0;
        return {.complete = false, .line = {}, .consume = buffered.size()};
    }
    looked_at_ = 0;
    Found found{.complete = true, .line = checked(buffered.substr(0, newline + 1)), .consume = newline + 1};
    if (skipping_ || found.line.text.size() > limit) found.line = {.text = {}, .fault = LineFault::too_long};
    skipping_ = false;
    return found;
}

}  // namespace mailstead::smtpd
