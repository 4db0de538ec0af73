#include "common/smtp/chunk.h"

#include <algorithm>

namespace mailstead::smtp {

void ChunkDecoder::begin_chunk(std::uint64_t octets, bool last) {
    remaining_ = octets;
    last_ = last;
}

std::size_t ChunkDecoder::feed(std::string_view in, std::string& out) {
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), remaining_));
    remaining_ -= size;
    for (std::string_view rest = in.substr(0, size); !rest.empty();) rest.remove_prefix(take_run(rest, out));
    return size;
}

// Up to the end of a line, an offending byte, or the end of `rest`.
std::size_t ChunkDecoder::take_run(std::string_view rest, std::string& out) {
    if (pending_cr_ && rest.front() != '\n') check_.refuse(BodyFault::bare_line_ending);
    const std::size_t newline = rest.find('\n');
    const bool ended = newline != std::string_view::npos;
    std::string_view run = rest.substr(0, ended ? newline + 1 : rest.size());
    const std::size_t cr = run.find('\r');
    bool bad = false;
    if (cr != std::string_view::npos && cr + 1 < run.size() && run[cr + 1] != '\n') {
        bad = true;
        run = run.substr(0, cr + 1);
    } else if (ended) {
        // RFC 5321, 2.3.8: an LF has its CR.
        bad = newline == 0 ? !pending_cr_ : cr == std::string_view::npos;
    }
    at_line_start_ = run.back() == '\n';
    pending_cr_ = run.back() == '\r';
    check_.count(run, at_line_start_);
    if (bad) check_.refuse(BodyFault::bare_line_ending);
    if (!check_.fault()) out.append(run);
    return run.size();
}

void ChunkDecoder::finish(std::string& out) {
    if (pending_cr_) check_.refuse(BodyFault::bare_line_ending);
    if (check_.fault() || at_line_start_) return;
    // RFC 3030 asks for no final line ending; a mailbox file and DATA to the next host do. DKIM hashes are
    // not changed by it (RFC 6376, 3.4.3).
    check_.count("\r\n", true);
    if (!check_.fault()) out += "\r\n";
    at_line_start_ = true;
}

}  // namespace mailstead::smtp
