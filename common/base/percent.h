// Percent-encoding, as URLs have it (RFC 3986, 2.1).
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace mailstead {

// The bytes that `text` stands for, which may be any: whoever wants text checks for NUL and UTF-8. An error:
// a "%" that two hexadecimal digits do not follow; its offset is the sign's.
Parsed<std::string> percent_decode(std::string_view text);

}  // namespace mailstead
