#include "common/smtp/capabilities.h"

#include <algorithm>

#include "common/base/text.h"

namespace mailstead::smtp {
namespace {

constexpr std::size_t kMaxMechanisms = 64;

std::string_view next_word(std::string_view& rest) {
    rest = text::trim(rest);
    return text::next_field(rest, ' ');
}

void add_mechanisms(std::string_view words, Capabilities& to) {
    while (!text::trim(words).empty() && to.auth.size() < kMaxMechanisms) {
        std::string name = text::upper(next_word(words));
        if (!name.empty() && !to.offers_auth(name)) to.auth.push_back(std::move(name));
    }
}

void set_limits(std::string_view words, Capabilities& to) {
    // limits-param = limit-name [ "=" limit-value ]   (RFC 9422)
    while (!text::trim(words).empty()) {
        std::string_view value = next_word(words);
        const std::string_view name = text::next_field(value, '=');
        const auto number = text::parse_number<std::uint32_t>(value);
        if (!number || *number == 0) continue;
        if (text::iequals(name, "RCPTMAX")) to.limit_rcpt_max = number;
        if (text::iequals(name, "MAILMAX")) to.limit_mail_max = number;
        if (text::iequals(name, "RCPTDOMAINMAX")) to.limit_rcpt_domain_max = number;
    }
}

void set_size(std::string_view words, Capabilities& to) {
    to.size = true;
    const auto limit = text::parse_number<std::uint64_t>(text::trim(words));
    // RFC 1870, 3: zero means no fixed limit.
    if (limit && *limit > 0) to.size_limit = limit;
}

void apply_line(std::string_view line, Capabilities& to) {
    std::string_view rest = line;
    const std::string_view keyword = next_word(rest);
    struct Flag {
        std::string_view name;
        bool Capabilities::*flag;
    };
    static constexpr Flag kFlags[] = {
        {"PIPELINING", &Capabilities::pipelining},
        {"STARTTLS", &Capabilities::starttls},
        {"8BITMIME", &Capabilities::eight_bit_mime},
        {"SMTPUTF8", &Capabilities::smtputf8},
        {"DSN", &Capabilities::dsn},
        {"CHUNKING", &Capabilities::chunking},
        {"BINARYMIME", &Capabilities::binary_mime},
        {"ENHANCEDSTATUSCODES", &Capabilities::enhanced_status_codes},
        {"REQUIRETLS", &Capabilities::require_tls},
    };
    for (const Flag& entry : kFlags) {
        if (text::iequals(keyword, entry.name)) to.*entry.flag = true;
    }
    if (text::iequals(keyword, "SIZE")) set_size(rest, to);
    if (text::iequals(keyword, "LIMITS")) set_limits(rest, to);
    if (text::iequals(keyword, "AUTH")) add_mechanisms(rest, to);
    // Exchange 5.5 and its imitators: `AUTH=LOGIN PLAIN`.
    if (text::istarts_with(line, "AUTH=")) add_mechanisms(line.substr(5), to);
}

}  // namespace

bool Capabilities::offers_auth(std::string_view mechanism) const {
    return std::find(auth.begin(), auth.end(), mechanism) != auth.end();
}

// ehlo-line = ehlo-keyword *( SP ehlo-param )   (RFC 5321, 4.1.1.1)
Capabilities parse_capabilities(const Reply& reply) {
    Capabilities result;
    for (std::size_t i = 1; i < reply.lines.size(); ++i) apply_line(text::trim(reply.lines[i]), result);
    return result;
}

}  // namespace mailstead::smtp
