// Writing answers: each function appends to one output buffer. No allocation of its own beyond that buffer's
// growth.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/address/mailbox_name.h"

namespace mailstead::imapd::proto {

enum class Condition : std::uint8_t { ok, no, bad, bye, preauth };
std::string_view to_string(Condition condition);

void write_number(std::string& out, std::uint64_t number);

// `tag OK [CODE] text` CRLF; `code` without brackets, empty for none. "*" as the tag makes it untagged (RFC
// 9051, 7.1).
void write_condition(std::string& out, std::string_view tag, Condition condition, std::string_view code,
                     std::string_view text);
// `+ text` CRLF
void write_continuation(std::string& out, std::string_view text);

// Whether strings may carry UTF-8 in quotes: after ENABLE UTF8=ACCEPT or IMAP4rev2 (RFC 6855, 3; RFC
// 9051, 4.3).
enum class Utf8 : bool { no, yes };

// string = quoted / literal. Literal when it holds CR, LF, NUL or 8-bit bytes that may not be quoted, or is
// long.
void write_string(std::string& out, std::string_view s, Utf8 utf8 = Utf8::no);
// An atom where it is one, else a string.
void write_astring(std::string& out, std::string_view s, Utf8 utf8 = Utf8::no);
// mailbox, always as a string: some clients split LIST answers at blanks.
void write_mailbox(std::string& out, const MailboxName& name, Utf8 utf8);
// "{n}" CRLF, or "~{n}" CRLF for bytes that hold NUL; the bytes follow by other means.
void write_literal_head(std::string& out, std::uint64_t size, bool binary = false);

// `"17-Jul-1996 02:44:25 +0000"`: date-time, in UTC. Fast enough for a hundred thousand a command.
void write_date_time(std::string& out, std::chrono::sys_seconds when);

}  // namespace mailstead::imapd::proto
