// The SCRAM client with everything open that chance decides elsewhere, so that the RFC's example can be
// replayed.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/secret.h"
#include "common/sasl/client.h"

namespace mailstead::sasl {

struct ScramBinding {
    std::string name;  // empty: no binding
    std::string data;
    // Without a name: whether we could bind, but the server does not offer it ("y").
    bool server_lacks_it = false;
};
std::unique_ptr<ClientExchange> make_scram_client(std::string_view user, const Secret& password,
                                                  const ScramBinding& binding, std::string nonce);

}  // namespace mailstead::sasl
