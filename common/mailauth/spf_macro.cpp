#include "common/mailauth/spf_macro.h"

#include <algorithm>
#include <vector>

#include "common/base/text.h"

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kMaxExpansion = 8 * 1024;
constexpr std::string_view kDelimiters = ".-+,/_=";

// macro-expand = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-"
// transformers = *DIGIT [ "r" ]
struct Macro {
    char letter = 0;  // lower case; or '%', '_', '-'
    bool escape = false;
    unsigned keep = 0;  // rightmost labels; 0: all
    bool reverse = false;
    std::string_view delimiters = ".";
    std::size_t size = 0;  // of its text
};

bool is_letter_allowed(char letter, MacroUse use) {
    constexpr std::string_view kAlways = "slodiphv";
    constexpr std::string_view kInExplanations = "crt";
    return kAlways.find(letter) != kAlways.npos ||
           (use == MacroUse::explanation && kInExplanations.find(letter) != kInExplanations.npos);
}

std::optional<Macro> read_macro(std::string_view text, MacroUse use) {
    Macro macro;
    if (text.size() < 2) return std::nullopt;
    macro.size = 2;
    macro.letter = text[1];
    if (text[1] == '%' || text[1] == '_' || text[1] == '-') return macro;
    const std::size_t close = text.find('}');
    if (text[1] != '{' || close == text.npos || close < 3) return std::nullopt;
    macro.size = close + 1;
    macro.letter = text::to_lower(text[2]);
    macro.escape = macro.letter != text[2];
    if (!is_letter_allowed(macro.letter, use)) return std::nullopt;

    std::string_view rest = text.substr(3, close - 3);
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    if (digits > 0) {
        const std::string_view number = rest.substr(0, digits);
        // RFC 7208, 7.3: zero labels are a syntax error. A number beyond any name keeps all.
        if (number.find_first_not_of('0') == number.npos) return std::nullopt;
        macro.keep = text::parse_number<unsigned>(number).value_or(0);
        rest.remove_prefix(digits);
    }
    if (!rest.empty() && text::to_lower(rest.front()) == 'r') {
        macro.reverse = true;
        rest.remove_prefix(1);
    }
    if (rest.find_first_not_of(kDelimiters) != rest.npos) return std::nullopt;
    if (!rest.empty()) macro.delimiters = rest;
    return macro;
}

// `2.0.0.1.0.d.b.8.[...]` for IPv6, the usual form for IPv4 (RFC 7208, 7.3).
std::string dotted(const dns::IpAddress& address) {
    if (address.is_v4()) return address.to_string();
    const std::string digits = text::hex(address.bytes());
    std::string out;
    for (const char c : digits) {
        if (!out.empty()) out += '.';
        out += c;
    }
    return out;
}

std::string value_of(char letter, const MacroValues& values) {
    switch (letter) {
        case 's':
            return std::string(values.local_part) + "@" + std::string(values.sender_domain);
        case 'l':
            return std::string(values.local_part);
        case 'o':
            return std::string(values.sender_domain);
        case 'd':
            return std::string(values.domain);
        case 'i':
            return dotted(values.client);
        case 'p':
            return std::string(values.client_name);
        case 'v':
            return values.client.is_v4() ? "in-addr" : "ip6";
        case 'h':
            return std::string(values.helo);
        case 'c':
            return values.client.to_string();
        case 'r':
            return values.receiver.empty() ? "unknown" : std::string(values.receiver);
        case 't':
            return std::to_string(std::chrono::duration_cast<Seconds>(values.now.time_since_epoch()).count());
        default:
            return {};
    }
}

std::string transform(const Macro& macro, const std::string& value) {
    std::vector<std::string_view> parts;
    std::string_view rest = value;
    while (true) {
        const std::size_t end = rest.find_first_of(macro.delimiters);
        parts.push_back(rest.substr(0, end));
        if (end == rest.npos) break;
        rest.remove_prefix(end + 1);
    }
    if (macro.reverse) std::reverse(parts.begin(), parts.end());
    const std::size_t keep = macro.keep == 0 ? parts.size() : std::min<std::size_t>(macro.keep, parts.size());
    std::string out;
    for (std::size_t i = parts.size() - keep; i < parts.size(); ++i) {
        if (i > parts.size() - keep) out += '.';
        out += parts[i];
    }
    return out;
}

// unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"   (RFC 3986, 2.3; RFC 7208, 7.3)
std::string url_escape(std::string_view value) {
    std::string out;
    for (const char c : value) {
        const bool plain =
            text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            out += '%';
            out += text::upper(text::hex(std::string_view(&c, 1)));
        }
    }
    return out;
}

std::string expand_one(const Macro& macro, const MacroValues& values) {
    if (macro.letter == '%') return "%";
    if (macro.letter == '_') return " ";
    if (macro.letter == '-') return "%20";
    std::string value = transform(macro, value_of(macro.letter, values));
    return macro.escape ? url_escape(value) : value;
}

bool is_literal(char c, MacroUse use) {
    return (c >= 0x21 && c <= 0x7E) || (use == MacroUse::explanation && c == ' ');
}

// Gives each literal run and each macro to `take`; false for wrong syntax, or when `take` returns false.
template <class Take>
bool walk(std::string_view text, MacroUse use, Take&& take) {
    while (!text.empty()) {
        const std::size_t run = std::min(text.find('%'), text.size());
        const std::string_view literal = text.substr(0, run);
        if (!std::all_of(literal.begin(), literal.end(), [&](char c) { return is_literal(c, use); }))
            return false;
        text.remove_prefix(run);
        std::optional<Macro> macro;
        if (!text.empty()) {
            macro = read_macro(text, use);
            if (!macro) return false;
            text.remove_prefix(macro->size);
        }
        if (!take(literal, macro)) return false;
    }
    return true;
}

// toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )
bool is_top_label(std::string_view label) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    bool not_a_number = false;
    for (const char c : label) {
        if (text::is_alpha(c) || c == '-') not_a_number = true;
        if (!text::is_alpha(c) && !text::is_digit(c) && c != '-') return false;
    }
    return not_a_number;
}

}  // namespace

bool is_macro_string(std::string_view text, MacroUse use) {
    return walk(text, use, [](std::string_view, const std::optional<Macro>&) { return true; });
}

// domain-end = ( "." toplabel [ "." ] ) / macro-expand
bool is_domain_spec(std::string_view text) {
    std::string_view tail;
    bool any_macro = false;
    const bool good =
        walk(text, MacroUse::domain, [&](std::string_view literal, const std::optional<Macro>& macro) {
            tail = macro ? std::string_view() : literal;
            any_macro = any_macro || macro.has_value();
            return true;
        });
    if (!good || text.empty()) return false;
    if (tail.empty()) return any_macro;
    if (tail.back() == '.') tail.remove_suffix(1);
    const std::size_t dot = tail.rfind('.');
    return dot != tail.npos && is_top_label(tail.substr(dot + 1));
}

bool mentions_client_name(std::string_view text) {
    bool found = false;
    walk(text, MacroUse::explanation, [&](std::string_view, const std::optional<Macro>& macro) {
        found = found || (macro && macro->letter == 'p');
        return true;
    });
    return found;
}

std::optional<std::string> expand_macros(std::string_view text, const MacroValues& values, MacroUse use) {
    std::string out;
    const bool good = walk(text, use, [&](std::string_view literal, const std::optional<Macro>& macro) {
        out += literal;
        if (macro) out += expand_one(*macro, values);
        return out.size() <= kMaxExpansion;
    });
    if (!good) return std::nullopt;
    return out;
}

std::optional<std::string> expand_domain(std::string_view text, const MacroValues& values) {
    auto expanded = expand_macros(text, values, MacroUse::domain);
    if (!expanded) return std::nullopt;
    std::string_view name = *expanded;
    if (!name.empty() && name.back() == '.') name.remove_suffix(1);
    while (name.size() > 253) {
        const std::size_t dot = name.find('.');
        if (dot == name.npos) return std::nullopt;
        name.remove_prefix(dot + 1);
    }
    // An escape would be read as one by DNS libraries: such a name is nobody's policy.
    if (!dns::is_askable(name) || name.find_first_of("\\ ") != name.npos) return std::nullopt;
    return text::lower(name);
}

}  // namespace mailstead::mailauth
