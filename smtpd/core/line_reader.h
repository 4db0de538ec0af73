// Command lines out of a stream of bytes.
#pragma once

#include <cstddef>
#include <string_view>

#include "smtpd/core/actions.h"

namespace mailstead::smtpd {

// Looks at the bytes received so far. Keeps only how far it has looked, and whether it is skipping the rest
// of a line that was too long.
class LineReader {
public:
    struct Found {
        bool complete = false;
        Line line;  // a view into the bytes given
        std::size_t consume =
            0;  // bytes to drop from the front, after the line was used; also when not complete
    };
    // `buffered` begins where the last call's `consume` ended. `limit` counts the line without its CRLF.
    Found next(std::string_view buffered, std::size_t limit);
    // The bytes seen so far were dropped (STARTTLS).
    void reset() { *this = LineReader(); }

private:
    std::size_t looked_at_ = 0;
    bool skipping_ = false;
};

}  // namespace mailstead::smtpd
