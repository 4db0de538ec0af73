// ENVELOPE, BODY and BODYSTRUCTURE in their final IMAP form (RFC 9051, 7.5.2; RFC 3501, 7.4.2).
#pragma once

#include <string>
#include <string_view>

#include "common/mime/message.h"

namespace mailstead::mime {

// ascii: for a client that has not enabled UTF8=ACCEPT or IMAP4rev2. Text with 8-bit bytes becomes encoded
// words (RFC 2047), parameters
//   with 8-bit bytes become `name*` "utf-8''..." (RFC 2231), other 8-bit bytes "?": everything sent is ASCII.
// utf8: text is sent as UTF-8 in quoted strings; parameters that came with a charset are sent decoded as
// `name*`. Header
//   bytes that are no UTF-8 are taken for windows-1252.
enum class ClientText { ascii, utf8 };

// Each appends to `out` and returns whether the other ClientText gives the same bytes, so that one cached
// copy serves both. A string that cannot be quoted is written as a literal `{n}\r\n...`; NUL, which IMAP has
// no way to send, becomes "?". `message_part` is the part whose header is the header of a message: the root,
// or the child of a part of kind `message`.
bool write_envelope(std::string& out, const Message& message, ClientText text,
                    PartIndex message_part = kRootPart);
bool write_body(std::string& out, const Message& message, ClientText text, PartIndex part = kRootPart);
bool write_bodystructure(std::string& out, const Message& message, ClientText text,
                         PartIndex part = kRootPart);

// A string as IMAP sends it: quoted where that is possible, otherwise a literal. Well-formed UTF-8 is quoted
// (RFC 9051, 4.3), so ask only for a client that takes it.
void write_string(std::string& out, std::string_view s);

}  // namespace mailstead::mime
