#include "common/mime/date_time.h"

#include <array>
#include <cstdio>
#include <optional>

#include "common/base/text.h"

namespace mailstead::mime {
namespace {

using namespace std::chrono;

constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::size_t kMaxDate = 256;

std::optional<unsigned> month_number(std::string_view name) {
    for (unsigned i = 0; i < 12; ++i) {
        if (name.size() >= 3 && text::iequals(name.substr(0, 3), kMonths[i])) return i + 1;
    }
    return std::nullopt;
}

// obs-zone (RFC 5322, 4.3); military and unknown zones mean "-0000".
minutes named_zone(std::string_view name) {
    constexpr std::pair<std::string_view, int> kZones[] = {{"EST", -5}, {"EDT", -4}, {"CST", -6},
                                                           {"CDT", -5}, {"MST", -7}, {"MDT", -6},
                                                           {"PST", -8}, {"PDT", -7}};
    for (const auto& [zone, offset] : kZones) {
        if (text::iequals(name, zone)) return hours(offset);
    }
    return minutes(0);
}

// ( "+" / "-" ) 4DIGIT, a colon between hours and minutes tolerated.
std::optional<minutes> numeric_zone(std::string_view s) {
    if (s.size() < 2 || (s[0] != '+' && s[0] != '-')) return std::nullopt;
    std::string digits;
    for (const char c : s.substr(1)) {
        if (c != ':') digits += c;
    }
    const auto number = text::parse_number<unsigned>(digits);
    if (digits.size() != 4 || !number || *number % 100 > 59 || *number / 100 > 23) return std::nullopt;
    const minutes offset = hours(*number / 100) + minutes(*number % 100);
    return s[0] == '-' ? -offset : offset;
}

// hour ":" minute [ ":" second [ "." fraction ] ]
std::optional<seconds> clock_time(std::string_view s) {
    const auto hour = text::parse_number<unsigned>(text::next_field(s, ':'));
    const auto minute = text::parse_number<unsigned>(text::next_field(s, ':'));
    const auto second = s.empty() ? std::optional<unsigned>(0)
                                  : text::parse_number<unsigned>(s.substr(0, s.find_first_of(".,")));
    if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    return hours(*hour) + minutes(*minute) + seconds(*second);
}

// RFC 5322, 4.3: 00 to 49 are 2000 to 2049, 50 to 999 count from 1900.
int full_year(unsigned number, std::size_t digits) {
    if (digits <= 2) return static_cast<int>(number) + (number < 50 ? 2000 : 1900);
    if (digits == 3) return static_cast<int>(number) + 1900;
    return static_cast<int>(number);
}

// The pieces of a date in whatever order they come.
struct Pieces {
    std::optional<unsigned> day, month;
    std::optional<int> year;
    std::optional<seconds> time;
    std::optional<minutes> zone;

    void take(std::string_view token) {
        const char first = token[0];
        if (token.find(':') != std::string_view::npos && text::is_digit(first)) {
            take_time(token);
        } else if (first == '+' || (first == '-' && time)) {
            if (!zone) zone = numeric_zone(token);
        } else if (text::is_digit(first)) {
            take_date(token);
        } else if (text::is_alpha(first)) {
            take_name(token);
        }
    }

private:
    // A zone may be glued to the time: `10:52:37+0200`.
    void take_time(std::string_view token) {
        const std::size_t sign = token.find_first_of("+-");
        if (!time) time = clock_time(token.substr(0, sign));
        if (sign != std::string_view::npos && !zone) zone = numeric_zone(token.substr(sign));
    }

    // `1`, `1996`, `1-Jul-1996`, `1996-07-01`.
    void take_date(std::string_view token) {
        while (!token.empty()) {
            const std::string_view piece = text::next_field(token, '-');
            if (const auto number = text::parse_number<unsigned>(piece)) {
                take_number(*number, piece.size());
            } else if (!month) {
                month = month_number(piece);
            }
        }
    }

    void take_number(unsigned number, std::size_t digits) {
        if (digits >= 4 && !year) {
            year = full_year(number, digits);
        } else if (year && !month && digits <= 2) {
            month = number;
        } else if (!day && digits <= 2) {
            day = number;
        } else if (!year) {
            year = full_year(number, digits);
        }
    }

    void take_name(std::string_view token) {
        const auto number = month_number(token);
        if (number && !month && !is_day_name(token)) {
            month = number;
        } else if (time && !zone) {
            const std::size_t sign = token.find_first_of("+-");
            const auto numeric =
                sign == std::string_view::npos ? std::nullopt : numeric_zone(token.substr(sign));
            zone = numeric ? *numeric : named_zone(token);
        }
    }

    static bool is_day_name(std::string_view token) {
        for (const std::string_view day : kDays) {
            if (token.size() >= 3 && text::iequals(token.substr(0, 3), day)) return true;
        }
        return false;
    }
};

// Calls `take` for each run of characters outside of comments, blanks and commas.
template <class Take>
void for_each_token(std::string_view s, Take take) {
    int comment = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= s.size(); ++i) {
        const char c = i < s.size() ? s[i] : ' ';
        const bool separator =
            text::is_space(c) || c == '\r' || c == '\n' || c == ',' || c == '(' || c == ')' || c == '"';
        if (!separator) continue;
        if (comment == 0 && i > begin) take(s.substr(begin, i - begin));
        begin = i + 1;
        if (c == '(') ++comment;
        if (c == ')' && comment > 0) --comment;
    }
}

Parsed<DateTime> assemble(year_month_day day, seconds time, minutes offset) {
    const int y = static_cast<int>(day.year());
    if (!day.ok() || y < 1900 || y > 9999) return ParseError("no such day", 0);
    return DateTime{sys_days(day) + time - offset, offset};
}

struct LocalFields {
    year_month_day day;
    hh_mm_ss<seconds> time;
    weekday name;
};

LocalFields local_fields(const DateTime& when) {
    const sys_seconds local = when.utc + when.offset;
    const sys_days day = floor<days>(local);
    return {year_month_day(day), hh_mm_ss<seconds>(local - day), weekday(day)};
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
    char buffer[64];
    const int size = std::snprintf(buffer, sizeof buffer, pattern, values...);
    return std::string(buffer, size < 0 ? 0U : static_cast<std::size_t>(size));
}

std::string format_zone(minutes offset) {
    const long total = static_cast<long>(offset.count() < 0 ? -offset.count() : offset.count());
    return format("%c%02ld%02ld", offset.count() < 0 ? '-' : '+', total / 60 % 100, total % 60);
}

}  // namespace

year_month_day DateTime::local_date() const {
    return local_fields(*this).day;
}

Parsed<DateTime> parse_message_date(std::string_view value) {
    Pieces pieces;
    for_each_token(value.substr(0, kMaxDate), [&](std::string_view token) { pieces.take(token); });
    if (!pieces.day || !pieces.month || !pieces.year) return ParseError("not a date", 0);
    return assemble(year(*pieces.year) / static_cast<int>(*pieces.month) / static_cast<int>(*pieces.day),
                    pieces.time.value_or(seconds(0)), pieces.zone.value_or(minutes(0)));
}

std::string write_message_date(DateTime when) {
    const LocalFields f = local_fields(when);
    return format("%s, %u %s %d %02ld:%02ld:%02ld ", kDays[f.name.c_encoding()].data(),
                  static_cast<unsigned>(f.day.day()),
                  kMonths[static_cast<unsigned>(f.day.month()) - 1].data(), static_cast<int>(f.day.year()),
                  static_cast<long>(f.time.hours().count()), static_cast<long>(f.time.minutes().count()),
                  static_cast<long>(f.time.seconds().count())) +
           format_zone(when.offset);
}

// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE   (RFC 9051, 9)
Parsed<DateTime> parse_imap_date_time(std::string_view s) {
    while (s.starts_with(' ')) s.remove_prefix(1);
    const std::string_view date = text::next_field(s, ' ');
    const std::string_view time = text::next_field(s, ' ');
    TRY(day, parse_imap_date(date));
    const auto clock = clock_time(time);
    if (!clock || time.size() != 8) return ParseError("bad time", date.size() + 1);
    const auto zone = numeric_zone(s);
    if (!zone || s.size() != 5) return ParseError("bad zone", date.size() + time.size() + 2);
    return assemble(day, *clock, *zone);
}

std::string write_imap_date_time(DateTime when) {
    const LocalFields f = local_fields(when);
    return format("%2u-%s-%04d %02ld:%02ld:%02ld ", static_cast<unsigned>(f.day.day()),
                  kMonths[static_cast<unsigned>(f.day.month()) - 1].data(), static_cast<int>(f.day.year()),
                  static_cast<long>(f.time.hours().count()), static_cast<long>(f.time.minutes().count()),
                  static_cast<long>(f.time.seconds().count())) +
           format_zone(when.offset);
}

// date-text = date-day "-" date-month "-" date-year   (RFC 9051, 9)
Parsed<year_month_day> parse_imap_date(std::string_view s) {
    if (s.size() >= 2 && s.front() == '"' && s.back() == '"') s = s.substr(1, s.size() - 2);
    const std::string_view day_text = text::next_field(s, '-');
    const std::string_view month_text = text::next_field(s, '-');
    const auto d = text::parse_number<unsigned>(day_text);
    const auto m = month_text.size() == 3 ? month_number(month_text) : std::nullopt;
    const auto y = text::parse_number<unsigned>(s);
    if (!d || day_text.size() > 2 || !m || !y || s.size() != 4) return ParseError("bad date", 0);
    const year_month_day date(year(static_cast<int>(*y)), month(*m), day(*d));
    if (!date.ok()) return ParseError("no such day", 0);
    return date;
}

std::string write_imap_date(year_month_day date) {
    return format("%u-%s-%04d", static_cast<unsigned>(date.day()),
                  kMonths[static_cast<unsigned>(date.month()) - 1].data(), static_cast<int>(date.year()));
}

}  // namespace mailstead::mime
