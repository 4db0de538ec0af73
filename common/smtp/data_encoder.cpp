#include "common/smtp/data_encoder.h"

namespace mailstead::smtp {

void DataEncoder::feed(std::string_view piece, std::string& out) {
    std::size_t at = 0;
    if (pending_cr_ && !piece.empty()) {
        // The CRLF was written when the CR was met.
        if (piece.front() == '\n') at = 1;
        pending_cr_ = false;
    }
    while (at < piece.size()) {
        if (line_start_ && piece[at] == '.') out += '.';
        line_start_ = false;
        const std::size_t end = std::min(piece.find_first_of("\r\n", at), piece.size());
        out.append(piece, at, end - at);
        if (end == piece.size()) return;
        out += "\r\n";
        line_start_ = true;
        at = end + 1;
        if (piece[end] == '\n') continue;
        if (at == piece.size()) {
            pending_cr_ = true;
        } else if (piece[at] == '\n') {
            ++at;
        }
    }
}

void DataEncoder::finish(std::string& out) {
    if (!line_start_) out += "\r\n";
    out += ".\r\n";
    line_start_ = true;
    pending_cr_ = false;
}

}  // namespace mailstead::smtp
