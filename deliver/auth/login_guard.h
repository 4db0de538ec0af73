// Makes guessing slow without locking anybody out: says when a proof may be checked, before anything is spent
// on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/net/socket_address.h"
#include "common/runtime/fair_pool.h"

namespace mailstead::deliver {

// Where a login comes from: what one customer holds (an IPv4 address, an IPv6 /64), and the network around it
// (a /24, a /48), so that whoever has many addresses side by side is not many.
struct LoginOrigin {
    std::string address;
    std::string network;
};
LoginOrigin origin_of(const net::IpAddress& ip);

// Failures are counted for the pair of address and login, for the address, for the network and for the login.
// Each count has some for free, and loses one a minute. What is above that costs time:
// - attempts of a pair, and those of an address, go one after another, 250 ms to 10 s apart;
// - those from a busy network wait up to half a second, those on a login that is under attack up to one.
// These
//   do not add up: a stranger's correct login is never kept longer than that.
// An address from which a login succeeded in the last 30 days is known for that login, and only its own
// failures with that login slow it down, by at most a second: an attack from elsewhere does not touch it.
//
// Knows logins as clients spell them, existing or not. Thread-safe; bounded, whoever was seen least lately is
// forgotten.
class LoginGuard {
public:
    using Clock = std::chrono::steady_clock;

    struct Turn {
        std::chrono::milliseconds wait{0};  // before the proof may be looked at
        runtime::FairPool::Rank rank = runtime::FairPool::Rank::fresh;
        std::string counted_as;  // for left()
    };
    // nullopt: too many attempts from there wait already. Otherwise left() must follow.
    std::optional<Turn> admit(const LoginOrigin& origin, const std::string& login, Clock::time_point at);
    // The attempt is over, whatever came of it.
    void left(const Turn& turn);

    // A wrong proof, or a client that did not wait for the answer.
    void failed(const LoginOrigin& origin, const std::string& login, Clock::time_point at);
    void succeeded(const LoginOrigin& origin, const std::string& login, Clock::time_point at);

private:
    enum class Kind : std::uint8_t { pair, address, network, login };
    struct Count {
        std::string key;
        std::uint32_t failures = 0;
        Clock::time_point counted;  // since when `failures` has not lost any
        Clock::time_point next;     // when the next attempt may go
    };
    struct Known {
        std::string login;
        std::list<std::pair<std::string, Clock::time_point>> addresses;  // latest first
    };
    using Counts = std::list<Count>;

    static std::string key_of(Kind kind, const LoginOrigin& origin, const std::string& login);
    Count* find(const std::string& key, Clock::time_point at);
    Count& at_key(const std::string& key, Clock::time_point at);
    bool is_known(const LoginOrigin& origin, const std::string& login, Clock::time_point at);
    // How long to wait for the pair's and the address's turn, which is taken; nullopt: for too long.
    std::optional<std::chrono::milliseconds> take_turns(Turn& turn, const LoginOrigin& origin,
                                                        const std::string& login, Clock::time_point at);

    std::mutex mutex_;
    Counts counts_;  // latest first
    std::unordered_map<std::string, Counts::iterator> by_key_;
    std::list<Known> known_;  // latest first
    std::unordered_map<std::string, std::list<Known>::iterator> known_by_login_;
    // Attempts under way, by address, those of known pairs by pair.
    std::unordered_map<std::string, std::uint32_t> waiting_;
};

}  // namespace mailstead::deliver
