// The server's mechanisms, one class each; start_exchange() chooses.
#pragma once

#include <memory>
#include <string>

#include "common/sasl/exchange.h"

namespace mailstead::sasl {

std::unique_ptr<Exchange> make_plain(CredentialSource& source);
std::unique_ptr<Exchange> make_login(CredentialSource& source);

enum class ScramVariant { plain, plus };
// `server_nonce` is what the server adds to the client's nonce.
std::unique_ptr<Exchange> make_scram(CredentialSource& source, ScramVariant variant, ChannelBindings bindings,
                                     std::string server_nonce);

// RFC 7628, and Google's forerunner of it. Neither looks at a token: the caller does.
std::unique_ptr<Exchange> make_oauthbearer(const OAuthFacts& facts);
std::unique_ptr<Exchange> make_xoauth2(const OAuthFacts& facts);

// The login as it is looked up; nullopt when it cannot be one.
std::optional<std::string> prepare_login(std::string_view login);
// Whether a client that logs in as `login` may ask to act as `authzid`: as itself alone.
bool may_act_as(std::string_view login, std::string_view authzid);

}  // namespace mailstead::sasl
