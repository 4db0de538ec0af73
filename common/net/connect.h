// Outbound connections.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/net/stream.h"

namespace mailstead::net {

struct ConnectOptions {
    std::optional<IpAddress> source_v4;  // bound before connecting to an IPv4 address
    std::optional<IpAddress> source_v6;
    Timeout timeout_each{
        30'000};  // RFC 5321, 4.5.3.2 leaves it to TCP; a dead host must not hold a delivery that long
};

// Tries the addresses in order on the calling task's io_context; the last failure if none answers,
// `unreachable` for an empty list.
Task<IoResult<Stream>> connect(std::vector<SocketAddress> addresses, ConnectOptions options);

// A Unix stream socket. Never waits: a full backlog counts as refused.
IoResult<Stream> connect_unix(boost::asio::io_context& context, const std::string& path);

}  // namespace mailstead::net
