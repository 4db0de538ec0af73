// One HTTPS request on a connection of its own.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/net/socket_address.h"
#include "common/net/task.h"
#include "common/net/tls_context.h"

namespace mailstead::net {

// `https://host[:port]/path?query`, taken apart. No user, no fragment.
struct HttpsUrl {
    std::string host;  // a name in A-labels, lower case, or an address (IPv6 without brackets)
    std::uint16_t port = 443;
    std::string target = "/";  // path and query
    static Parsed<HttpsUrl> parse(std::string_view url);
};

struct HttpsRequest {
    std::string method = "GET";
    HttpsUrl url;
    std::vector<SocketAddress> addresses;  // of the host, tried in order
    std::string content_type;              // of the body; empty: there is none
    Secret authorization;                  // the Authorization field; empty: none
    Secret body;
    Timeout deadline{10'000};  // for all of it
    std::size_t max_response = 64 * 1024;
};

struct HttpsResponse {
    unsigned status = 0;
    std::string content_type;
    std::string body;
};

// The certificate must chain to a root of `tls` and name the host. Redirections are not followed. Errors are
// transient, and hold nothing of the request.
Task<Result<HttpsResponse>> https_request(std::shared_ptr<TlsClientContext> tls, HttpsRequest request);

}  // namespace mailstead::net
