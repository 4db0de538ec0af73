// Dates in messages and in IMAP.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace mailstead::mime {

// A moment and the zone in which it was written.
struct DateTime {
    std::chrono::sys_seconds utc{};
    std::chrono::minutes offset{};  // east of UTC

    // The calendar day as written, zone ignored: what SENTON and ON compare (RFC 9051, 6.4.4).
    std::chrono::year_month_day local_date() const;
    friend bool operator==(const DateTime&, const DateTime&) = default;
};

// [ day-name "," ] date time [CFWS], with the obsolete forms (RFC 5322, 3.3 and 4.3): comments, two-digit
// years, missing seconds, named zones; also a missing or unknown zone (taken as UTC), a missing time
// (00:00:00), full month names, "-" between the fields, and the `Tue Jul 1 02:23:25 1996` of ctime. Years
// 1900 to 9999.
Parsed<DateTime> parse_message_date(std::string_view value);
// `Tue, 1 Jul 2003 10:52:37 +0200` (RFC 5322, 3.3).
std::string write_message_date(DateTime when);

// date-time without its quotes: `17-Jul-1996 02:44:25 -0700`, day of one digit padded by a space or not (RFC
// 9051, 9).
Parsed<DateTime> parse_imap_date_time(std::string_view text);
// The same, without quotes, day padded by a space.
std::string write_imap_date_time(DateTime when);

// date, quotes optional: `1-Feb-1994`, as SEARCH takes it.
Parsed<std::chrono::year_month_day> parse_imap_date(std::string_view text);
std::string write_imap_date(std::chrono::year_month_day day);

}  // namespace mailstead::mime
