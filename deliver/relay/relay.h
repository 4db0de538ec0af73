// Sends queued messages to where they belong: finds the hosts, reuses connections, signs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/dns/resolver.h"
#include "common/net/task.h"
#include "common/net/tls_context.h"
#include "common/queue/entry.h"
#include "common/settings/settings.h"
#include "deliver/relay/connection.h"
#include "deliver/relay/route.h"
#include "deliver/relay/signer.h"

namespace mailstead::deliver {

// What came of one recipient in an attempt.
struct AttemptResult {
    std::uint32_t recipient = 0;  // index in the entry
    RecipientVerdict verdict;
};
struct Attempt {
    std::vector<AttemptResult> results;
    std::string host;            // `mx.example.org [192.0.2.1]`; empty if none was reached
    std::string tls;             // `TLSv1.3 ... (verified)`; empty without TLS
    bool dsn_passed_on = false;  // the server takes RFC 3461 and has the sender's wishes
    bool local = false;          // a mailbox here, no relaying
};

struct RelayParts {
    const settings::Settings* settings = nullptr;
    dns::Resolver* resolver = nullptr;
    Signer* signer = nullptr;
    std::shared_ptr<net::TlsClientContext> tls;
};

// Belongs to one io thread. The parts outlive it.
class Relay {
public:
    explicit Relay(RelayParts parts);
    ~Relay();

    // One transaction (or a few, where the server limits recipients) for these recipients of `entry`, which
    // share `destination`. `descriptor` is the message; stays the caller's.
    net::Task<Attempt> send(const queue::QueueEntry& entry, std::vector<std::uint32_t> recipients,
                            std::string destination, int descriptor);

    // Closes connections that nobody has used for `idle`; all of them for zero.
    net::Task<void> close_idle(Milliseconds idle);

private:
    struct Idler {
        std::unique_ptr<Connection> connection;
        std::chrono::steady_clock::time_point since;
    };
    using Opened = Result<std::unique_ptr<Connection>, RecipientVerdict>;

    net::Task<Opened> acquire(std::string destination, bool& reused);
    void give_back(const std::string& destination, std::unique_ptr<Connection> connection);
    std::unique_ptr<Connection> take_idle(const std::string& destination);
    net::Task<Opened> open(std::string destination);
    net::Task<Opened> open_smarthost(settings::Smarthost smarthost);
    net::Task<Opened> open_by_mx(Domain destination);
    net::Task<Opened> open_literal(Domain literal);
    net::Task<Opened> try_hosts(MxHosts hosts);
    net::Task<std::vector<net::SocketAddress>> addresses_of(std::string host, std::uint16_t port,
                                                            bool& failed);
    ConnectionOptions options_for(std::string host, std::vector<net::SocketAddress> addresses) const;
    net::Task<std::vector<AttemptResult>> transact(Connection& connection, const queue::QueueEntry& entry,
                                                   std::vector<std::uint32_t> recipients,
                                                   MessageSource source);

    RelayParts parts_;
    std::unordered_map<std::string, std::vector<Idler>> idle_;
};

// What a transaction for these recipients says, apart from the bytes.
Outgoing outgoing_for(const queue::QueueEntry& entry, const std::vector<std::uint32_t>& recipients,
                      bool header_is_ascii);

}  // namespace mailstead::deliver
