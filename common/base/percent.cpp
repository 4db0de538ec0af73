#include "common/base/percent.h"

#include "common/base/text.h"

namespace mailstead {

// pct-encoded = "%" HEXDIG HEXDIG   (RFC 3986, 2.1)
Parsed<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const auto byte = text::unhex(text.substr(i + 1, 2));
        if (!byte || byte->size() != 1)
            return ParseError{"two hexadecimal digits are expected after \"%\"", i};
        out += *byte;
        i += 2;
    }
    return out;
}

}  // namespace mailstead
