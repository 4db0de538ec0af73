// SocketAddress as the kernel wants it. Private to common/net.
#pragma once

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/net/socket_address.h"

namespace mailstead::net {

class NativeAddress {
public:
    explicit NativeAddress(const SocketAddress& address) {
        if (address.ip.is_v4()) {
            sockaddr_in in{};
            in.sin_family = AF_INET;
            in.sin_port = htons(address.port);
            in.sin_addr.s_addr = htonl(address.ip.to_v4().to_uint());
            put(in);
        } else {
            sockaddr_in6 in{};
            in.sin6_family = AF_INET6;
            in.sin6_port = htons(address.port);
            const auto bytes = address.ip.to_v6().to_bytes();
            std::memcpy(in.sin6_addr.s6_addr, bytes.data(), bytes.size());
            put(in);
        }
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t size() const { return size_; }
    int family() const { return storage_.ss_family; }

private:
    template <class Native>
    void put(const Native& native) {
        std::memcpy(&storage_, &native, sizeof native);
        size_ = sizeof native;
    }
    sockaddr_storage storage_{};
    socklen_t size_ = 0;
};

}  // namespace mailstead::net
