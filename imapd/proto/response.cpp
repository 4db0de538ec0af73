#include "imapd/proto/response.h"

#include <charconv>

#include "common/base/text.h"

namespace mailstead::imapd::proto {
namespace {

constexpr std::size_t kLongestQuoted = 4096;

bool can_quote(std::string_view s, Utf8 utf8) {
    if (s.size() > kLongestQuoted) return false;
    bool ascii = true;
    for (const char c : s) {
        if (c == '\r' || c == '\n' || c == '\0') return false;
        if (static_cast<unsigned char>(c) >= 0x80) ascii = false;
    }
    return ascii || (utf8 == Utf8::yes && text::is_utf8(s));
}

void write_quoted(std::string& out, std::string_view s) {
    out += '"';
    for (;;) {
        const std::size_t special = s.find_first_of("\"\\");
        out.append(s.substr(0, special));
        if (special == std::string_view::npos) break;
        out += '\\';
        out += s[special];
        s.remove_prefix(special + 1);
    }
    out += '"';
}

bool is_atom(std::string_view s) {
    if (s.empty() || s.size() > 128 || text::iequals(s, "NIL")) return false;
    for (const char c : s) {
        if (!text::is_alpha(c) && !text::is_digit(c) && c != '-' && c != '_' && c != '.' && c != '$' &&
            c != '/') {
            return false;
        }
    }
    return true;
}

void put_two(char* at, unsigned n) {
    at[0] = static_cast<char>('0' + n / 10 % 10);
    at[1] = static_cast<char>('0' + n % 10);
}

constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

}  // namespace

std::string_view to_string(Condition condition) {
    switch (condition) {
        case Condition::ok:
            return "OK";
        case Condition::no:
            return "NO";
        case Condition::bad:
            return "BAD";
        case Condition::bye:
            return "BYE";
        case Condition::preauth:
            return "PREAUTH";
    }
    return "BAD";
}

void write_number(std::string& out, std::uint64_t number) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, static_cast<std::size_t>(end - digits));
}

void write_condition(std::string& out, std::string_view tag, Condition condition, std::string_view code,
                     std::string_view text) {
    out += tag;
    out += ' ';
    out += to_string(condition);
    out += ' ';
    if (!code.empty()) {
        out += '[';
        out += code;
        out += "] ";
    }
    out += text;
    out += "\r\n";
}

void write_continuation(std::string& out, std::string_view text) {
    out += "+ ";
    out += text;
    out += "\r\n";
}

void write_string(std::string& out, std::string_view s, Utf8 utf8) {
    if (can_quote(s, utf8)) return write_quoted(out, s);
    write_literal_head(out, s.size(), s.find('\0') != std::string_view::npos);
    out += s;
}

void write_astring(std::string& out, std::string_view s, Utf8 utf8) {
    if (is_atom(s)) {
        out += s;
    } else {
        write_string(out, s, utf8);
    }
}

void write_mailbox(std::string& out, const MailboxName& name, Utf8 utf8) {
    if (utf8 == Utf8::yes || text::is_ascii(name.utf8())) {
        if (utf8 == Utf8::yes || name.utf8().find('&') == std::string::npos)
            return write_string(out, name.utf8(), utf8);
    }
    write_string(out, name.modified_utf7(), Utf8::no);
}

void write_literal_head(std::string& out, std::uint64_t size, bool binary) {
    out += binary ? "~{" : "{";
    write_number(out, size);
    out += "}\r\n";
}

void write_date_time(std::string& out, std::chrono::sys_seconds when) {
    const auto days = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date(days);
    const auto seconds = static_cast<unsigned>((when - days).count());
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
    char text[] = "\"DD-Mon-YYYY hh:mm:ss +0000\"";
    const unsigned day = static_cast<unsigned>(date.day());
    put_two(text + 1, day);
    if (day < 10) text[1] = ' ';  // date-day-fixed = (SP DIGIT) / 2DIGIT
    const unsigned month = static_cast<unsigned>(date.month()) - 1;
    kMonths.copy(text + 4, 3, std::size_t{month} * 3);
    put_two(text + 8, year / 100);
    put_two(text + 10, year % 100);
    put_two(text + 13, seconds / 3600);
    put_two(text + 16, seconds / 60 % 60);
    put_two(text + 19, seconds % 60);
    out.append(text, sizeof text - 1);
}

}  // namespace mailstead::imapd::proto
