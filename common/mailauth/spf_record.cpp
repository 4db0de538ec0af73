#include "common/mailauth/spf_record.h"

#include <algorithm>
#include <optional>

#include "common/base/text.h"
#include "common/mailauth/spf_macro.h"

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kMaxRecord = 16 * 1024;
constexpr std::string_view kVersion = "v=spf1";

struct MechanismName {
    std::string_view name;
    SpfMechanism mechanism;
};
constexpr MechanismName kMechanisms[] = {
    {"all", SpfMechanism::all}, {"include", SpfMechanism::include}, {"a", SpfMechanism::a},
    {"mx", SpfMechanism::mx},   {"ptr", SpfMechanism::ptr},         {"ip4", SpfMechanism::ip4},
    {"ip6", SpfMechanism::ip6}, {"exists", SpfMechanism::exists},
};

std::optional<SpfMechanism> find_mechanism(std::string_view name) {
    for (const MechanismName& entry : kMechanisms) {
        if (text::iequals(entry.name, name)) return entry.mechanism;
    }
    return std::nullopt;
}

std::optional<SpfVerdict> find_qualifier(char c) {
    switch (c) {
        case '+':
            return SpfVerdict::pass;
        case '-':
            return SpfVerdict::fail;
        case '~':
            return SpfVerdict::softfail;
        case '?':
            return SpfVerdict::neutral;
        default:
            return std::nullopt;
    }
}

// "0" / %x31-39 0*2DIGIT
std::optional<unsigned> parse_prefix(std::string_view digits, unsigned longest) {
    if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
    const auto number = text::parse_number<unsigned>(digits);
    if (!number || *number > longest) return std::nullopt;
    return number;
}

bool ends_with_digits_after(std::string_view text, std::string_view slash, std::size_t at) {
    return at != text.npos && text.find_first_not_of("0123456789", at + slash.size()) == text.npos;
}

// dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]: taken off the end of `rest`.
bool take_dual_cidr(std::string_view& rest, SpfTerm& term) {
    if (const std::size_t at = rest.rfind("//"); ends_with_digits_after(rest, "//", at)) {
        const auto prefix = parse_prefix(rest.substr(at + 2), 128);
        if (!prefix) return false;
        term.prefix6 = *prefix;
        rest = rest.substr(0, at);
    }
    if (const std::size_t at = rest.rfind('/'); ends_with_digits_after(rest, "/", at)) {
        const auto prefix = parse_prefix(rest.substr(at + 1), 32);
        if (!prefix) return false;
        term.prefix4 = *prefix;
        rest = rest.substr(0, at);
    }
    return true;
}

// [ ":" domain-spec ]; `required` for include and exists.
bool take_domain_spec(std::string_view rest, SpfTerm& term, bool required) {
    if (rest.empty()) return !required;
    if (rest.front() != ':') return false;
    term.domain_spec = rest.substr(1);
    return is_domain_spec(term.domain_spec);
}

// ip4 = "ip4" ":" ip4-network [ ip4-cidr-length ]
bool take_network(std::string_view rest, SpfTerm& term) {
    if (rest.empty() || rest.front() != ':') return false;
    const auto network = dns::IpNetwork::parse(rest.substr(1));
    if (!network || network->address.is_v4() != (term.mechanism == SpfMechanism::ip4)) return false;
    term.network = *network;
    return true;
}

// Arguments follow the name of the mechanism.
bool take_arguments(std::string_view rest, SpfTerm& term) {
    switch (term.mechanism) {
        case SpfMechanism::all:
            return rest.empty();
        case SpfMechanism::include:
        case SpfMechanism::exists:
            return take_domain_spec(rest, term, true);
        case SpfMechanism::ptr:
            return take_domain_spec(rest, term, false);
        case SpfMechanism::a:
        case SpfMechanism::mx:
            return take_dual_cidr(rest, term) && take_domain_spec(rest, term, false);
        case SpfMechanism::ip4:
        case SpfMechanism::ip6:
            return take_network(rest, term);
    }
    return false;
}

// name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )
bool is_modifier_name(std::string_view name) {
    return !name.empty() && text::is_alpha(name.front()) && std::all_of(name.begin(), name.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '.';
    });
}

// modifier = redirect / explanation / unknown-modifier. RFC 7208, 6: redirect and exp at most once each.
std::string_view take_modifier(std::string_view name, std::string_view value, SpfRecord& record) {
    if (!is_modifier_name(name)) return "malformed modifier name";
    const bool redirect = text::iequals(name, "redirect");
    if (!redirect && !text::iequals(name, "exp")) {
        return is_macro_string(value, MacroUse::explanation) ? "" : "malformed macro in a modifier";
    }
    std::string& target = redirect ? record.redirect : record.explanation;
    if (!target.empty()) return redirect ? "redirect= twice" : "exp= twice";
    if (!is_domain_spec(value)) return redirect ? "malformed redirect=" : "malformed exp=";
    target = value;
    return "";
}

std::string_view take_directive(std::string_view text, SpfRecord& record) {
    SpfTerm term;
    term.text = text;
    if (const auto verdict = find_qualifier(text.front())) {
        term.on_match = *verdict;
        text.remove_prefix(1);
    }
    const std::size_t end = std::min(text.find_first_of(":/"), text.size());
    const auto mechanism = find_mechanism(text.substr(0, end));
    if (!mechanism) return "unknown mechanism";
    term.mechanism = *mechanism;
    if (!take_arguments(text.substr(end), term)) return "malformed mechanism";
    record.terms.push_back(std::move(term));
    return "";
}

}  // namespace

bool is_spf_record(std::string_view text) {
    return text::istarts_with(text, kVersion) &&
           (text.size() == kVersion.size() || text[kVersion.size()] == ' ');
}

Parsed<SpfRecord> parse_spf_record(std::string_view text) {
    if (!is_spf_record(text)) return ParseError("not an SPF record", 0);
    if (text.size() > kMaxRecord) return ParseError("record too long", kMaxRecord);
    SpfRecord record;
    std::string_view rest = text.substr(kVersion.size());
    while (!rest.empty()) {
        const auto offset = static_cast<std::size_t>(rest.data() - text.data());
        const std::string_view word = text::next_field(rest, ' ');
        if (word.empty()) continue;
        const std::size_t mark = word.find_first_of(":/=");
        const bool modifier = mark != word.npos && word[mark] == '=';
        const std::string_view problem =
            modifier ? take_modifier(word.substr(0, mark), word.substr(mark + 1), record)
                     : take_directive(word, record);
        if (!problem.empty()) return ParseError(problem, offset);
    }
    return record;
}

}  // namespace mailstead::mailauth
