#include "common/dns/resolver.h"

#include <cstring>

namespace mailstead::dns {

IpAddress to_dns(const net::IpAddress& ip) {
    if (ip.is_v4()) return IpAddress::v4(ip.to_v4().to_bytes());
    return IpAddress::v6(ip.to_v6().to_bytes());
}

net::IpAddress to_net(const IpAddress& ip) {
    return net::ip_from_bytes(ip.bytes()).value();
}

}  // namespace mailstead::dns
