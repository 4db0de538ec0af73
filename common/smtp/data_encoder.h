// A message on its way out by DATA: dots stuffed, line endings made CRLF (RFC 5321, 4.5.2, 2.3.8).
#pragma once

#include <string>
#include <string_view>

namespace mailstead::smtp {

// One message, in pieces of any size. A bare LF or CR becomes CRLF, so that nothing which a receiver could
// take for an end of data leaves us; stored messages have none (they would have been refused), imported ones
// may.
class DataEncoder {
public:
    // Appends the encoded piece to `out`.
    void feed(std::string_view piece, std::string& out);
    // Appends the end: CRLF if the last line lacks it, "." CRLF.
    void finish(std::string& out);

private:
    bool line_start_ = true;
    bool pending_cr_ = false;
};

}  // namespace mailstead::smtp
