// The resolver of the daemons, on c-ares.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "common/base/result.h"
#include "common/dns/resolver.h"

namespace mailstead::dns {

struct ResolverOptions {
    std::vector<net::SocketAddress> servers;  // empty: /etc/resolv.conf
    // Believe the AD bit of these servers although they are not on loopback.
    bool trusted = false;
    std::chrono::milliseconds try_timeout{3'000};  // of one question to one server, doubled with each round
    int tries = 2;                                 // rounds over the servers
    std::size_t max_cached = 10'000;               // answers
    std::chrono::seconds max_ttl{3'600};           // kept no longer, whatever the zone says
    std::chrono::seconds max_negative_ttl{300};    // for "there is no such name"
    std::size_t max_pending = 2'000;               // questions in flight; more fail at once
};

// UDP with EDNS (RFC 6891), TCP when truncated; equal questions in flight are asked once; answers are cached
// while their TTL lasts. Belongs to the thread of `context`.
class CaresResolver final : public Resolver {
public:
    static Result<std::unique_ptr<CaresResolver>> create(boost::asio::io_context& context,
                                                         ResolverOptions options);
    ~CaresResolver() override;

    net::Task<AnyAnswer> resolve(Question question) override;
    // Forgets all cached answers.
    void forget();

private:
    struct State;
    explicit CaresResolver(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

}  // namespace mailstead::dns
