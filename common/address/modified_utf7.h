// Mailbox names as IMAP4rev1 spells them (RFC 3501, 5.1.3).
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace mailstead {

// Modified UTF-7 to UTF-8. Refuses malformed base64, encoded printable ASCII, and lone surrogates.
Parsed<std::string> decode_modified_utf7(std::string_view text);

// UTF-8 (well-formed) to modified UTF-7.
std::string encode_modified_utf7(std::string_view utf8);

}  // namespace mailstead
