// Mailbox patterns of LIST and LSUB (RFC 9051, 6.3.9).
#pragma once

#include <string>
#include <string_view>

namespace mailstead::imapd::proto {

// Whether `name` (UTF-8) matches `pattern`: "*" stands for anything, "%" for anything without `separator`.
// INBOX as the first level matches in any case. Linear in the size of both for each "*".
bool matches_list_pattern(std::string_view pattern, std::string_view name, char separator);

// The pattern that a reference and a mailbox name make together: what the name says counts from the
// reference, unless it begins with the separator.
std::string join_reference(std::string_view reference, std::string_view pattern, char separator);

// "**" and "%%" made one, so that matching stays linear; "*%" and "%*" become "*".
std::string simplify_list_pattern(std::string_view pattern);

}  // namespace mailstead::imapd::proto
