// One outbound SMTP connection: drives a ClientCore over a stream.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/net/connect.h"
#include "common/net/stream.h"
#include "common/net/task.h"
#include "common/net/tls_context.h"
#include "deliver/relay/client_core.h"

namespace mailstead::deliver {

// What is sent after DATA: `head` (the DKIM signature), then the file from `begin` to its end.
struct MessageSource {
    std::string head;
    int descriptor = -1;  // the caller keeps it open
    std::uint64_t begin = 0;
    std::uint64_t size = 0;  // of the whole file
};

struct ConnectionOptions {
    std::string host;  // as found in the MX records or the configuration: SNI and certificate name
    std::vector<net::SocketAddress> addresses;
    net::ConnectOptions connect;
    ClientOptions client;
    net::Verify verify = net::Verify::opportunistic;
    std::shared_ptr<net::TlsClientContext> tls;
};

class Connection {
public:
    // Connects and comes to where transactions can start. A refusal, also when nobody could be reached, is a
    // verdict.
    static net::Task<Result<std::unique_ptr<Connection>, RecipientVerdict>> open(ConnectionOptions options);

    // One transaction; one verdict for each recipient. Afterwards usable() tells whether another can follow.
    net::Task<std::vector<RecipientVerdict>> send(Outgoing message, MessageSource source);
    bool usable() const { return usable_; }
    // Says QUIT if it can, and closes.
    net::Task<void> quit();

    const std::string& host() const { return options_.host; }
    // `mx.example.org [192.0.2.1]`
    std::string peer() const;
    // `TLSv1.3 TLS_AES_128_GCM_SHA256 (verified)`; empty without TLS.
    std::string tls() const;
    const smtp::Capabilities& capabilities() const { return core_.capabilities(); }
    std::size_t transactions() const { return transactions_; }

private:
    Connection(ConnectionOptions options, net::Stream stream);
    net::Task<ClientAction> perform(ClientAction action);
    net::Task<ClientAction> exchange(std::string bytes, net::Timeout timeout);
    net::Task<ClientAction> read_reply(net::Timeout timeout);
    net::Task<ClientAction> upgrade();
    net::Task<ClientAction> send_message(net::Timeout timeout);
    // Performs actions until the core is idle or closed.
    net::Task<void> drive(ClientAction action);

    ConnectionOptions options_;
    net::Stream stream_;
    net::ReadBuffer buffer_;
    ClientCore core_;
    MessageSource source_;
    bool usable_ = false;
    std::size_t transactions_ = 0;
};
[[noreturn]] void throw_exception_from_error(const RecipientVerdict& verdict,
                                             const boost::source_location& where);

}  // namespace mailstead::deliver
