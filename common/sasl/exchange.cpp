#include "common/sasl/exchange.h"

#include "common/base/text.h"
#include "common/sasl/mechanisms.h"
#include "common/sasl/saslprep.h"
#include "common/sasl/scram_messages.h"

namespace mailstead::sasl {
namespace {

constexpr std::string_view kScramPlus = "SCRAM-SHA-256-PLUS";
constexpr std::string_view kScram = "SCRAM-SHA-256";
constexpr std::string_view kPlain = "PLAIN";
constexpr std::string_view kLogin = "LOGIN";
constexpr std::string_view kOAuthBearer = "OAUTHBEARER";
constexpr std::string_view kXOAuth2 = "XOAUTH2";

}  // namespace

std::string_view to_string(FailureReason reason) {
    switch (reason) {
        case FailureReason::malformed:
            return "malformed";
        case FailureReason::wrong_credentials:
            return "wrong_credentials";
        case FailureReason::not_authorized:
            return "not_authorized";
        case FailureReason::channel_mismatch:
            return "channel_mismatch";
        case FailureReason::temporary:
            return "temporary";
    }
    return {};
}

std::vector<std::string_view> mechanisms(const ChannelBindings& bindings, Tokens tokens) {
    std::vector<std::string_view> offered;
    if (bindings.any()) offered.push_back(kScramPlus);
    offered.push_back(kScram);
    if (tokens == Tokens::yes) offered.insert(offered.end(), {kOAuthBearer, kXOAuth2});
    offered.insert(offered.end(), {kPlain, kLogin});
    return offered;
}

std::unique_ptr<Exchange> start_exchange(std::string_view mechanism, CredentialSource& source,
                                         ChannelBindings bindings, const OAuthFacts* oauth) {
    if (text::iequals(mechanism, kPlain)) return make_plain(source);
    if (text::iequals(mechanism, kLogin)) return make_login(source);
    if (text::iequals(mechanism, kScram)) {
        return make_scram(source, ScramVariant::plain, std::move(bindings), scram::make_nonce());
    }
    if (text::iequals(mechanism, kScramPlus) && bindings.any()) {
        return make_scram(source, ScramVariant::plus, std::move(bindings), scram::make_nonce());
    }
    if (oauth == nullptr) return nullptr;
    if (text::iequals(mechanism, kOAuthBearer)) return make_oauthbearer(*oauth);
    if (text::iequals(mechanism, kXOAuth2)) return make_xoauth2(*oauth);
    return nullptr;
}

std::optional<std::string> prepare_login(std::string_view login) {
    constexpr std::size_t kMaxLogin = 512;
    if (login.size() > kMaxLogin) return std::nullopt;
    auto prepared = saslprep(login, Spelling::query);
    if (!prepared || prepared->empty()) return std::nullopt;
    return *std::move(prepared);
}

bool may_act_as(std::string_view login, std::string_view authzid) {
    if (authzid.empty()) return true;
    const auto prepared = prepare_login(authzid);
    return prepared && text::iequals(*prepared, login);
}

}  // namespace mailstead::sasl
