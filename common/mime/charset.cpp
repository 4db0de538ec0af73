#include "common/mime/charset.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iconv.h>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "common/mime/utf8.h"

namespace mailstead::mime {
namespace {

enum class Builtin { none, utf8, windows_1252, guess };

// What 0x80 to 0x9F are in windows-1252; 0 where it has nothing.
constexpr std::array<char16_t, 32> kWindows1252 = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

// Names that mail uses and iconv has not, or for which a superset reads more of what is really sent.
constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"gb2312", "gb18030"},
    {"gbk", "gb18030"},
    {"x-gbk", "gb18030"},
    {"hz-gb-2312", "gb18030"},
    {"shift_jis", "cp932"},
    {"shift-jis", "cp932"},
    {"x-sjis", "cp932"},
    {"windows-31j", "cp932"},
    {"ks_c_5601-1987", "cp949"},
    {"euc-kr", "cp949"},
    {"big5", "cp950"},
    {"iso-8859-8-i", "iso-8859-8"},
    {"iso-8859-6-i", "iso-8859-6"},
    {"x-mac-roman", "macintosh"},
    {"unicode-1-1-utf-7", "utf-7"},
    {"utf-16", "utf-16be"},
    {"iso-8859-9", "cp1254"},
    {"iso-8859-11", "cp874"},
    {"tis-620", "cp874"},
    {"koi8_r", "koi8-r"},
};

// Lower case, blanks and quotes dropped; empty when it is no charset name. Slashes never reach iconv
// ("//TRANSLIT").
std::string normalize(std::string_view charset) {
    std::string name;
    for (const char c : charset) {
        if (c == '"' || c == '\'' || c == ' ' || c == '\t') continue;
        const bool allowed = text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '.' ||
                             c == ':' || c == '+';
        if (!allowed || name.size() >= 40) return {};
        name += text::to_lower(c);
    }
    for (const auto& [alias, real] : kAliases) {
        if (name == alias) return std::string(real);
    }
    return name;
}

// ISO 8859-1 is read as windows-1252, as every mail client does: the difference is control characters that
// nobody sends.
Builtin builtin(std::string_view name) {
    if (name == "utf-8" || name == "utf8") return Builtin::utf8;
    if (name == "iso-8859-1" || name == "windows-1252" || name == "cp1252" || name == "latin1" ||
        name == "iso_8859-1") {
        return Builtin::windows_1252;
    }
    if (name.empty() || name == "us-ascii" || name == "ascii" || name == "ansi_x3.4-1968")
        return Builtin::guess;
    return Builtin::none;
}

std::string from_windows_1252(std::string_view bytes, std::size_t limit) {
    std::string out;
    out.reserve(std::min(bytes.size() + bytes.size() / 4, limit));
    for (const char c : bytes) {
        if (out.size() >= limit) break;
        const auto byte = static_cast<unsigned char>(c);
        const char32_t mapped = byte >= 0x80 && byte < 0xA0 ? kWindows1252[byte - 0x80] : byte;
        if (mapped == 0 && byte != 0) {
            out.append(kReplacement);
        } else {
            append_character(out, mapped);
        }
    }
    cut_utf8(out, limit);
    return out;
}

std::string from_utf8(std::string_view bytes, std::size_t limit) {
    std::string out;
    if (is_all_ascii(bytes) || text::is_utf8(bytes)) {
        out.assign(bytes.substr(0, limit == SIZE_MAX ? limit : limit + 4));
        cut_utf8(out, limit);
        return out;
    }
    for (std::size_t at = 0; at < bytes.size() && out.size() < limit;) {
        const std::size_t begin = at;
        if (next_character(bytes, at) == kBadCharacter) {
            out.append(kReplacement);
        } else {
            out.append(bytes.substr(begin, at - begin));
        }
    }
    cut_utf8(out, limit);
    return out;
}

std::string from_unknown(std::string_view bytes, std::size_t limit) {
    return text::is_utf8(bytes) ? from_utf8(bytes, limit) : from_windows_1252(bytes, limit);
}

const iconv_t kNoConverter = reinterpret_cast<iconv_t>(-1);  // NOLINT: iconv's own convention

// The converters of one thread, the latest at the back. Names that iconv refused are remembered too.
class Converters {
public:
    Converters() = default;
    Converters(const Converters&) = delete;
    Converters& operator=(const Converters&) = delete;
    ~Converters() {
        for (const auto& [name, converter] : entries_) close(converter);
    }

    iconv_t get(const std::string& name) {
        for (const auto& [known, converter] : entries_) {
            if (known == name) return converter;
        }
        if (entries_.size() >= kMost) {
            close(entries_.front().second);
            entries_.erase(entries_.begin());
        }
        entries_.emplace_back(name, iconv_open("UTF-8", name.c_str()));
        return entries_.back().second;
    }

private:
    static constexpr std::size_t kMost = 32;
    static void close(iconv_t converter) {
        if (converter != kNoConverter) iconv_close(converter);
    }
    std::vector<std::pair<std::string, iconv_t>> entries_;
};

iconv_t converter_for(const std::string& name) {
    thread_local Converters converters;
    return converters.get(name);
}

// How many bytes to pass over where a character is invalid, so that wide charsets stay in step.
std::size_t unit_of(std::string_view name) {
    if (name.starts_with("utf-16") || name.starts_with("ucs-2")) return 2;
    if (name.starts_with("utf-32") || name.starts_with("ucs-4")) return 4;
    return 1;
}

std::string convert(iconv_t converter, std::string_view bytes, std::size_t unit, std::size_t limit) {
    std::string out;
    char buffer[4096];
    iconv(converter, nullptr, nullptr, nullptr, nullptr);
    auto* in = const_cast<char*>(bytes.data());
    std::size_t in_left = bytes.size();
    while (out.size() < limit) {
        char* to = buffer;
        std::size_t to_left = sizeof buffer;
        const std::size_t before = in_left;
        const bool whole = in_left == 0;
        const std::size_t result = whole ? iconv(converter, nullptr, nullptr, &to, &to_left)
                                         : iconv(converter, &in, &in_left, &to, &to_left);
        const int why = errno;
        out.append(buffer, static_cast<std::size_t>(to - buffer));
        if (whole) break;
        if (result != static_cast<std::size_t>(-1)) continue;
        if (why == E2BIG && (in_left < before || to != buffer)) continue;
        // Invalid, cut short at the end, or no progress: pass over it, so that the loop ends in any case.
        out.append(kReplacement);
        const std::size_t skipped = why == EINVAL ? in_left : std::min(unit, in_left);
        in += skipped;
        in_left -= skipped;
    }
    if (!text::is_utf8(out)) out = from_utf8(out, limit);
    cut_utf8(out, limit);
    return out;
}

}  // namespace

std::string to_utf8(std::string_view bytes, std::string_view charset, std::size_t limit) {
    if (text::iequals(charset, "utf-8")) return from_utf8(bytes, limit);
    const std::string name = normalize(charset);
    switch (builtin(name)) {
        case Builtin::utf8:
            return from_utf8(bytes, limit);
        case Builtin::windows_1252:
            return from_windows_1252(bytes, limit);
        case Builtin::guess:
            return from_unknown(bytes, limit);
        case Builtin::none:
            break;
    }
    if (name == "utf-16be" && bytes.starts_with("\xFF\xFE"))
        return to_utf8(bytes.substr(2), "utf-16le", limit);
    const iconv_t converter = converter_for(name);
    if (converter == kNoConverter) return from_unknown(bytes, limit);
    return convert(converter, bytes, unit_of(name), limit);
}

std::string to_utf8(std::string_view bytes) {
    return from_unknown(bytes, SIZE_MAX);
}

bool is_known_charset(std::string_view charset) {
    const std::string name = normalize(charset);
    if (name.empty()) return false;
    return builtin(name) != Builtin::none || converter_for(name) != kNoConverter;
}

void preload_charsets() {
    for (const char* name :
         {"iso-8859-2", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8", "iso-8859-15", "cp1250",
          "cp1251",     "cp1253",     "cp1254",     "cp1255",     "cp1256",     "cp1257",      "cp874",
          "koi8-r",     "koi8-u",     "gb18030",    "cp950",      "cp932",      "cp949",       "iso-2022-jp",
          "euc-jp",     "utf-7",      "utf-16be",   "utf-16le"}) {
        converter_for(name);
    }
}

}  // namespace mailstead::mime
