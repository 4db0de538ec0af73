#include "common/runtime/addresses.h"

namespace mailstead::runtime {

Result<net::SocketAddress> address_of(const settings::Endpoint& endpoint) {
    const auto ip = net::parse_ip(endpoint.ip);
    if (!ip) return permanent_error("not a numeric address: " + endpoint.to_string());
    return net::SocketAddress{*ip, endpoint.port};
}

Result<std::vector<net::SocketAddress>> addresses_of(std::span<const settings::Endpoint> endpoints) {
    std::vector<net::SocketAddress> addresses;
    for (const settings::Endpoint& endpoint : endpoints) {
        TRY(address, address_of(endpoint));
        addresses.push_back(address);
    }
    return addresses;
}

}  // namespace mailstead::runtime
