// The client's side: PLAIN and LOGIN for the smarthost, SCRAM for tests and for peers that offer it. Pure;
// one owner.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/sasl/exchange.h"

namespace mailstead::sasl {

class ClientExchange {
public:
    virtual ~ClientExchange() = default;
    virtual std::string_view mechanism() const = 0;
    // The message that can go with the command itself (initial response); nullopt: the mechanism's server
    // speaks first (LOGIN).
    virtual std::optional<std::string> initial_response() = 0;
    // The answer to a challenge, base64 undone on both sides. An error: the server does not know the password
    // either (SCRAM), or broke the mechanism's rules; abandon the connection.
    virtual Parsed<std::string> respond(std::string_view challenge) = 0;
    // Whether the server has proved what the mechanism lets it prove; a success before that is not to be
    // believed.
    virtual bool server_verified() const = 0;
};

// The best mechanism among those the server offers (any case): SCRAM-SHA-256-PLUS, SCRAM-SHA-256, PLAIN,
// LOGIN. nullptr when there is none. PLAIN and LOGIN show the password: the caller sees to TLS.
std::unique_ptr<ClientExchange> start_client(const std::vector<std::string>& offered, std::string_view user,
                                             const Secret& password, ChannelBindings bindings);
// One mechanism by name.
std::unique_ptr<ClientExchange> start_client(std::string_view mechanism, std::string_view user,
                                             const Secret& password, ChannelBindings bindings);

}  // namespace mailstead::sasl
