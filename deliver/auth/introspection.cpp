#include "deliver/auth/introspection.h"

#include <algorithm>

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

// What the issuer claims, by type. A member that is there and has another type than the RFCs give it does not
// say what it was to say (RFC 7662, 2.2; RFC 7519, 4.1); taken for absent it would let in whom it was to keep
// out.
class Claims {
public:
    explicit Claims(const json::object& members) : members_(members) {}

    // The first member that was asked for and has the wrong type; empty: none.
    std::string_view wrong() const { return wrong_; }
    bool contains(std::string_view name) const { return members_.contains(name); }

    std::string_view text(std::string_view name) {
        const json::value* value = members_.if_contains(name);
        if (value == nullptr) return {};
        if (value->is_string()) return std::string_view(value->get_string());
        return note(name), std::string_view();
    }

    // NumericDate: seconds, possibly with a fraction (RFC 7519, 2). What is beyond the calendar is its end.
    std::optional<Time> time(std::string_view name) {
        const json::value* value = members_.if_contains(name);
        if (value == nullptr) return std::nullopt;
        if (!value->is_number()) return note(name), std::nullopt;
        constexpr double kYear10000 = 253402300800.0;
        const double seconds = std::clamp(value->to_number<double>(), 0.0, kYear10000);
        return Time(Seconds(static_cast<std::int64_t>(seconds)));
    }

    // aud = string or array of strings (RFC 7519, 4.1.3)
    bool is_for(std::string_view audience) {
        const json::value* value = members_.if_contains("aud");
        if (value == nullptr) return false;
        if (value->is_string()) return std::string_view(value->get_string()) == audience;
        if (!value->is_array()) return note("aud"), false;
        bool named = false;
        for (const json::value& one : value->get_array()) {
            if (!one.is_string()) return note("aud"), false;
            named = named || std::string_view(one.get_string()) == audience;
        }
        return named;
    }

    // Absent is true: not every issuer says it.
    bool is_not_denied(std::string_view name) {
        const json::value* value = members_.if_contains(name);
        if (value == nullptr) return true;
        if (value->is_bool()) return value->get_bool();
        return note(name), false;
    }

private:
    void note(std::string_view name) {
        if (wrong_.empty()) wrong_ = name;
    }

    const json::object& members_;
    std::string_view wrong_;
};

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

std::string_view account_in(Claims& claims, std::string_view name) {
    // An address that nobody has verified proves nothing about who holds the token.
    if (name == "email" && !claims.is_not_denied("email_verified")) return {};
    return claims.text(name);
}

// Who the token belongs to: the claim that the operator names, or the first of these that is there.
std::string_view account_in(Claims& claims, const settings::OAuth& demands) {
    if (!demands.account_claim.empty()) return account_in(claims, demands.account_claim);
    for (const std::string_view name : {"username", "email", "sub"}) {
        if (claims.contains(name)) return account_in(claims, name);
    }
    return {};
}

TokenFacts refused(Status status, std::string reason) {
    TokenFacts facts;
    facts.status = status;
    facts.reason = std::move(reason);
    return facts;
}

TokenFacts judge(const json::object& members, const settings::OAuth& demands, Time now) {
    // RFC 7662, 2.2: nothing else may be believed of a token that is not active.
    const json::value* active = members.if_contains("active");
    if (active == nullptr || !active->is_bool())
        return refused(Status::unavailable, "the answer lacks \"active\"");
    if (!active->get_bool()) return refused(Status::invalid, "not active");
    Claims claims(members);
    const std::string_view type = claims.text("token_type");
    const auto ends = claims.time("exp");
    const auto begins = claims.time("nbf");
    const bool from_issuer = demands.issuer.empty() || claims.text("iss") == demands.issuer;
    const bool for_us = demands.audience.empty() || claims.is_for(demands.audience);
    const bool has_scopes = demands.scope.empty() || has_all_scopes(claims.text("scope"), demands.scope);
    const std::string_view account = account_in(claims, demands);
    if (!claims.wrong().empty())
        return refused(Status::invalid, "\"" + std::string(claims.wrong()) + "\" has the wrong type");
    if (!type.empty() && !text::iequals(type, "bearer"))
        return refused(Status::invalid, "not a bearer token");
    if (ends && *ends <= now) return refused(Status::invalid, "expired");
    if (begins && *begins > now + kClockSkew) return refused(Status::invalid, "not valid yet");
    if (!from_issuer) return refused(Status::invalid, "another issuer");
    if (!for_us) return refused(Status::invalid, "for another audience");
    if (!has_scopes) return refused(Status::insufficient_scope, "the scope is missing");
    if (account.empty() || account.size() > kMaxAccount)
        return refused(Status::not_authorized, "no claim names the account");
    TokenFacts facts;
    facts.ends = ends;
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
