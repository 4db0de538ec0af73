// OAUTHBEARER (RFC 7628) and XOAUTH2 (developers.google.com/gmail/imap/xoauth2-protocol): the client shows a
// token that somebody else gave out. Both are one message, and a refusal that says what is wanted.
#include <algorithm>

#include "common/base/text.h"
#include "common/sasl/mechanisms.h"
#include "common/sasl/scram_messages.h"

namespace mailstead::sasl {
namespace {

constexpr char kSeparator = '\x01';
constexpr std::string_view kMarks = "-._~+/";

struct TokenRequest {
    std::string login;  // empty: not said
    std::string_view token;
};

// b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="   (RFC 6750, 2.1)
bool is_token(std::string_view text) {
    while (text.ends_with('=')) text.remove_suffix(1);
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || kMarks.find(c) != std::string_view::npos;
    });
}

// credentials = "Bearer" 1*SP b64token   (RFC 6750, 2.1); the scheme in any case (RFC 7235, 2.1). Empty when
// it is empty: the client only wants to know what we demand (RFC 7628, 4.3).
Parsed<std::string_view> parse_bearer(std::string_view value) {
    constexpr std::string_view kScheme = "Bearer ";
    if (value.empty()) return std::string_view();
    if (!text::istarts_with(value, kScheme)) return ParseError("not a bearer token", 0);
    value = text::trim(value.substr(kScheme.size()));
    if (!value.empty() && !is_token(value)) return ParseError("not a token", kScheme.size());
    return value;
}

// kvpair = key "=" value kvsep   key = 1*(ALPHA)   value = *(VCHAR / SP / HTAB / CR / LF)   (RFC 7628, 3.1)
// Takes the pairs up to the kvsep that ends them all; `take` gets each.
template <class Take>
Parsed<void> parse_pairs(std::string_view rest, Take take) {
    while (true) {
        const std::size_t end = rest.find(kSeparator);
        if (end == std::string_view::npos) return ParseError("the end is missing", 0);
        const std::string_view pair = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        if (pair.empty()) break;
        const std::size_t equals = pair.find('=');
        if (equals == 0 || equals == std::string_view::npos) return ParseError("not a key and value", 0);
        const std::string_view key = pair.substr(0, equals);
        if (!std::all_of(key.begin(), key.end(), text::is_alpha)) return ParseError("not a key", 0);
        TRY_VOID(take(key, pair.substr(equals + 1)));
    }
    if (!rest.empty()) return ParseError("more than one message", 0);
    return {};
}

// client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep   (RFC 7628, 3.1)
// gs2-header = ("n" / "y") "," [ "a=" saslname ] ","       (RFC 5801, 4; no channel binding, RFC 7628, 3.1)
Parsed<TokenRequest> parse_oauthbearer(std::string_view message) {
    TokenRequest request;
    if (!message.starts_with("n,") && !message.starts_with("y,")) return ParseError("not a GS2 header", 0);
    message.remove_prefix(2);
    const std::size_t comma = message.find(',');
    if (comma == std::string_view::npos) return ParseError("not a GS2 header", 0);
    const std::string_view authzid = message.substr(0, comma);
    if (!authzid.empty()) {
        if (!authzid.starts_with("a=")) return ParseError("not an authorization identity", 0);
        const auto name = scram::decode_name(authzid.substr(2));
        auto login = name ? prepare_login(*name) : std::nullopt;
        if (!login) return ParseError("not a user name", 0);
        request.login = *std::move(login);
    }
    message.remove_prefix(comma + 1);
    if (!message.starts_with(kSeparator)) return ParseError("a separator is missing", 0);
    bool seen = false;
    const auto take = [&](std::string_view key, std::string_view value) -> Parsed<void> {
        if (!text::iequals(key, "auth")) return {};  // host, port: what the client dialled
        if (seen) return ParseError("two tokens", 0);
        seen = true;
        TRY(token, parse_bearer(value));
        request.token = token;
        return {};
    };
    TRY_VOID(parse_pairs(message.substr(1), take));
    return request;
}

// "user=" login kvsep "auth=Bearer " token kvsep kvsep
Parsed<TokenRequest> parse_xoauth2(std::string_view message) {
    TokenRequest request;
    const auto take = [&](std::string_view key, std::string_view value) -> Parsed<void> {
        if (text::iequals(key, "user")) {
            auto login = prepare_login(value);
            if (!login || !request.login.empty()) return ParseError("not a user name", 0);
            request.login = *std::move(login);
        } else if (text::iequals(key, "auth")) {
            if (!request.token.empty()) return ParseError("two tokens", 0);
            TRY(token, parse_bearer(value));
            request.token = token;
        }
        return {};
    };
    TRY_VOID(parse_pairs(message, take));
    if (request.login.empty()) return ParseError("the user is missing", 0);
    return request;
}

// Both values are checked when the settings are read: nothing in them needs escaping.
void append_member(std::string& json, std::string_view key, std::string_view value) {
    if (value.empty()) return;
    json += ",\"";
    json += key;
    json += "\":\"";
    json += value;
    json += '"';
}

// RFC 7628, 3.2.2
std::string oauthbearer_error(const OAuthFacts& facts, TokenVerdict::Status status) {
    const bool scope = status == TokenVerdict::Status::insufficient_scope;
    std::string json = std::string("{\"status\":\"") + (scope ? "insufficient_scope" : "invalid_token") + '"';
    append_member(json, "scope", facts.scope);
    append_member(json, "openid-configuration", facts.discovery_url);
    return json + '}';
}

std::string xoauth2_error(const OAuthFacts& facts, TokenVerdict::Status status) {
    const bool scope = status == TokenVerdict::Status::insufficient_scope;
    std::string json = std::string("{\"status\":\"") + (scope ? "403" : "401") + "\",\"schemes\":\"bearer\"";
    append_member(json, "scope", facts.scope);
    return json + '}';
}

struct Dialect {
    Parsed<TokenRequest> (*parse)(std::string_view);
    std::string (*error)(const OAuthFacts&, TokenVerdict::Status);
};
constexpr Dialect kOAuthBearer{parse_oauthbearer, oauthbearer_error};
constexpr Dialect kXOAuth2{parse_xoauth2, xoauth2_error};

class TokenExchange final : public Exchange {
public:
    TokenExchange(const Dialect& dialect, const OAuthFacts& facts) : dialect_(dialect), facts_(facts) {}

    Outcome step(std::string_view message) override {
        if (state_ != State::start) return finish();
        state_ = State::over;
        if (message.size() > kMaxClientMessage) return Failure{};
        auto request = dialect_.parse(message);
        if (!request) return Failure{};
        login_ = request->login;
        if (request->token.empty()) return refuse(TokenVerdict::Status::invalid);
        state_ = State::asked;
        return CheckToken{Secret(request->token), std::move(request->login)};
    }

    Outcome on_token(const TokenVerdict& verdict) override {
        if (state_ != State::asked) return Failure{};
        state_ = State::over;
        switch (verdict.status) {
            case TokenVerdict::Status::valid:
                return Success{verdict.account, verdict.login, {Credential::Kind::token, {}, 0}};
            case TokenVerdict::Status::unavailable:
                return Failure{FailureReason::temporary, login_};
            case TokenVerdict::Status::not_authorized:
                return Failure{FailureReason::not_authorized, login_};
            default:
                return refuse(verdict.status);
        }
    }

private:
    enum class State { start, asked, refused, over };

    // RFC 7628, 3.2.2: the refusal goes as a challenge, since SASL has no room for it in a failure.
    Outcome refuse(TokenVerdict::Status status) {
        state_ = State::refused;
        return Challenge{dialect_.error(facts_, status)};
    }
    // RFC 7628, 3.2.3: the client answers it with something, and then hears that it failed.
    Outcome finish() {
        const bool refused = state_ == State::refused;
        state_ = State::over;
        return Failure{refused ? FailureReason::wrong_credentials : FailureReason::malformed, login_};
    }

    const Dialect& dialect_;
    const OAuthFacts& facts_;
    State state_ = State::start;
    std::string login_;
};

}  // namespace

std::unique_ptr<Exchange> make_oauthbearer(const OAuthFacts& facts) {
    return std::make_unique<TokenExchange>(kOAuthBearer, facts);
}
std::unique_ptr<Exchange> make_xoauth2(const OAuthFacts& facts) {
    return std::make_unique<TokenExchange>(kXOAuth2, facts);
}

}  // namespace mailstead::sasl
