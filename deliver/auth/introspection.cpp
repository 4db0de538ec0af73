#include "deliver/auth/introspection.h"

#include <boost/json.hpp>

#include "common/base/base64.h"
#include "common/base/text.h"

namespace mailstead::deliver {
namespace {

namespace json = boost::json;
using Status = sasl::TokenVerdict::Status;

constexpr std::size_t kMaxDepth = 8;
constexpr std::size_t kMaxAccount = 512;
constexpr Seconds kClockSkew{60};

// unreserved bytes stay, all others are %XX: a subset of what the form's encoding allows.
void append_encoded(std::string& out, std::string_view value) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    constexpr std::string_view kUnreserved = "-._~";
    for (const char c : value) {
        if (text::is_alpha(c) || text::is_digit(c) || kUnreserved.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
}

std::string_view text_at(const json::object& claims, std::string_view name) {
    const json::value* value = claims.if_contains(name);
    if (value == nullptr || !value->is_string()) return {};
    return std::string_view(value->get_string());
}

// NumericDate: seconds, possibly with a fraction (RFC 7519, 2).
std::optional<Time> time_at(const json::object& claims, std::string_view name) {
    const json::value* value = claims.if_contains(name);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    constexpr double kYear10000 = 253402300800.0;
    const double seconds = value->to_number<double>();
    if (!(seconds >= 0) || seconds > kYear10000) return std::nullopt;
    return Time(Seconds(static_cast<std::int64_t>(seconds)));
}

// aud = string or array of strings (RFC 7519, 4.1.3)
bool is_for(const json::object& claims, std::string_view audience) {
    const json::value* value = claims.if_contains("aud");
    if (value == nullptr) return false;
    if (value->is_string()) return std::string_view(value->get_string()) == audience;
    if (!value->is_array()) return false;
    for (const json::value& one : value->get_array()) {
        if (one.is_string() && std::string_view(one.get_string()) == audience) return true;
    }
    return false;
}

bool has_scope(std::string_view granted, std::string_view wanted) {
    while (!granted.empty()) {
        if (text::next_field(granted, ' ') == wanted) return true;
    }
    return false;
}

bool has_all_scopes(std::string_view granted, std::string_view demanded) {
    while (!demanded.empty()) {
        const std::string_view one = text::next_field(demanded, ' ');
        if (!one.empty() && !has_scope(granted, one)) return false;
    }
    return true;
}

// Who the token belongs to: the claim that the operator names, or the first of these that is there.
std::string_view account_in(const json::object& claims, const settings::OAuth& demands) {
    const auto claim = [&](std::string_view name) -> std::string_view {
        // An address that nobody has verified proves nothing about who holds the token.
        const json::value* verified = claims.if_contains("email_verified");
        if (name == "email" && verified != nullptr && *verified == json::value(false)) return {};
        return text_at(claims, name);
    };
    if (!demands.account_claim.empty()) return claim(demands.account_claim);
    for (const std::string_view name : {"username", "email", "sub"}) {
        if (claims.contains(name)) return claim(name);
    }
    return {};
}

TokenFacts refused(Status status, std::string reason) {
    TokenFacts facts;
    facts.status = status;
    facts.reason = std::move(reason);
    return facts;
}

TokenFacts judge(const json::object& claims, const settings::OAuth& demands, Time now) {
    // RFC 7662, 2.2: nothing else may be believed of a token that is not active.
    const json::value* active = claims.if_contains("active");
    if (active == nullptr || !active->is_bool())
        return refused(Status::unavailable, "the answer lacks \"active\"");
    if (!active->get_bool()) return refused(Status::invalid, "not active");
    const std::string_view type = text_at(claims, "token_type");
    if (!type.empty() && !text::iequals(type, "bearer"))
        return refused(Status::invalid, "not a bearer token");
    TokenFacts facts;
    facts.ends = time_at(claims, "exp");
    if (facts.ends && *facts.ends <= now) return refused(Status::invalid, "expired");
    const auto begins = time_at(claims, "nbf");
    if (begins && *begins > now + kClockSkew) return refused(Status::invalid, "not valid yet");
    if (!demands.issuer.empty() && text_at(claims, "iss") != demands.issuer)
        return refused(Status::invalid, "another issuer");
    if (!demands.audience.empty() && !is_for(claims, demands.audience))
        return refused(Status::invalid, "for another audience");
    if (!has_all_scopes(text_at(claims, "scope"), demands.scope))
        return refused(Status::insufficient_scope, "the scope is missing");
    const std::string_view account = account_in(claims, demands);
    if (account.empty() || account.size() > kMaxAccount)
        return refused(Status::not_authorized, "no claim names the account");
    facts.account = std::string(account);
    facts.status = Status::valid;
    return facts;
}

}  // namespace

Secret introspection_form(const Secret& token) {
    std::string form = "token=";
    form.reserve(64 + token.reveal().size() * 3);
    append_encoded(form, token.reveal());
    form += "&token_type_hint=access_token";
    return Secret::take(form);
}

Secret basic_credentials(std::string_view client_id, const Secret& client_secret) {
    std::string both;
    both.reserve(3 * (client_id.size() + client_secret.reveal().size()) + 1);
    append_encoded(both, client_id);
    both += ':';
    append_encoded(both, client_secret.reveal());
    std::string field = "Basic " + base64_encode(both);
    wipe(both);
    return Secret::take(field);
}

TokenFacts read_introspection(std::string_view body, const settings::OAuth& demands, Time now) {
    json::parse_options options;
    options.max_depth = kMaxDepth;
    boost::system::error_code error;
    const json::value answer = json::parse(body, error, {}, options);
    if (error || !answer.is_object()) return refused(Status::unavailable, "the answer is not a JSON object");
    return judge(answer.get_object(), demands, now);
}

}  // namespace mailstead::deliver
