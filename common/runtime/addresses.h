// From addresses in the settings to those that sockets take.
#pragma once

#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/net/socket_address.h"
#include "common/settings/settings.h"

namespace mailstead::runtime {

// A permanent error when it is not numeric; what settings::load gave always is.
Result<net::SocketAddress> address_of(const settings::Endpoint& endpoint);
// All, in order.
Result<std::vector<net::SocketAddress>> addresses_of(std::span<const settings::Endpoint> endpoints);

}  // namespace mailstead::runtime
