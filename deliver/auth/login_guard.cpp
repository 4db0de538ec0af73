#include "deliver/auth/login_guard.h"

#include <algorithm>

#include "common/base/text.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;
using Rank = runtime::FairPool::Rank;

constexpr std::size_t kMaxCounts = 32'768;
constexpr std::size_t kMaxKnownLogins = 16'384;
constexpr std::size_t kMaxKnownAddresses = 16;  // of one login
constexpr auto kKnownFor = std::chrono::hours(30 * 24);
constexpr auto kForgiveness = 1min;  // for one failure
// Under way at the same time from one address: an office whose machine has just come back logs in at once.
constexpr std::uint32_t kMaxWaiting = 128;
constexpr std::uint32_t kMaxWaitingSuspects = 16;
// An attempt that would wait longer is refused at once, as busy.
constexpr auto kLongestWait = 15s;
constexpr auto kFirstInterval = 250ms;
constexpr std::chrono::milliseconds kLongestForKnown{1'000};

struct Rule {
    std::uint32_t free;  // failures that cost nothing
    std::chrono::milliseconds longest;
};
// A household's address has several people and their telephones behind it, a /24 of a mobile network
// hundreds.
constexpr Rule kPair{3, 10'000ms};
constexpr Rule kAddress{8, 10'000ms};
constexpr Rule kNetwork{64, 500ms};
constexpr Rule kLogin{20, 1'000ms};
// Counts stop here above what is free, so that a long attack is forgiven as soon as a short one.
constexpr std::uint32_t kMost = 8;

std::string network_of(const net::IpAddress& ip) {
    std::string bytes = net::ip_bytes(ip);
    bytes.resize(ip.is_v4() ? 3 : 6);
    return bytes;
}

// What the failures so far cost; `count` may be null.
template <class Count>
std::chrono::milliseconds interval(const Rule& rule, const Count* count) {
    if (count == nullptr || count->failures <= rule.free) return 0ms;
    const std::uint32_t doublings = std::min(count->failures - rule.free - 1, 10U);
    return std::min<std::chrono::milliseconds>(kFirstInterval * (1U << doublings), rule.longest);
}

}  // namespace

LoginOrigin origin_of(const net::IpAddress& ip) {
    return {net::ip_bytes(net::customer_network(ip)), network_of(ip)};
}

// Each kind begins with a sign of its own; an address has a fixed length of its family.
std::string LoginGuard::key_of(Kind kind, const LoginOrigin& origin, const std::string& login) {
    std::string key(1, static_cast<char>(kind));
    if (kind == Kind::pair || kind == Kind::address) key += origin.address;
    if (kind == Kind::network) key += origin.network;
    if (kind == Kind::pair) key += ' ';
    if (kind == Kind::pair || kind == Kind::login) key += text::lower(login);
    return key;
}

LoginGuard::Count* LoginGuard::find(const std::string& key, Clock::time_point at) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    Count& count = *found->second;
    const auto forgiven = (at - count.counted) / kForgiveness;
    if (forgiven > 0) {
        count.failures -= static_cast<std::uint32_t>(std::min<std::int64_t>(forgiven, count.failures));
        count.counted += forgiven * kForgiveness;
    }
    return &count;
}

LoginGuard::Count& LoginGuard::at_key(const std::string& key, Clock::time_point at) {
    if (Count* known = find(key, at)) {
        counts_.splice(counts_.begin(), counts_, by_key_.find(key)->second);
        return *known;
    }
    if (by_key_.size() >= kMaxCounts) {
        by_key_.erase(counts_.back().key);
        counts_.pop_back();
    }
    counts_.push_front(Count{key, 0, at, {}});
    by_key_.emplace(key, counts_.begin());
    return counts_.front();
}

bool LoginGuard::is_known(const LoginOrigin& origin, const std::string& login, Clock::time_point at) {
    const auto found = known_by_login_.find(text::lower(login));
    if (found == known_by_login_.end()) return false;
    const auto& addresses = found->second->addresses;
    return std::any_of(addresses.begin(), addresses.end(), [&](const auto& each) {
        return each.first == origin.address && at - each.second <= kKnownFor;
    });
}

std::optional<std::chrono::milliseconds> LoginGuard::take_turns(Turn& turn, const LoginOrigin& origin,
                                                                const std::string& login,
                                                                Clock::time_point at) {
    Count* const pair = find(key_of(Kind::pair, origin, login), at);
    Count* const address = find(key_of(Kind::address, origin, login), at);
    auto pair_apart = interval(kPair, pair);
    auto address_apart = interval(kAddress, address);
    if (is_known(origin, login, at)) {
        turn.rank = Rank::known;
        pair_apart = std::min(pair_apart, kLongestForKnown);
        address_apart = 0ms;
    } else if (pair_apart > 0ms || address_apart > 0ms) {
        turn.rank = Rank::suspect;
    }
    Clock::time_point go = at;
    if (pair_apart > 0ms) go = std::max(go, pair->next);
    if (address_apart > 0ms) go = std::max(go, address->next);
    if (go - at > kLongestWait) return std::nullopt;
    if (pair_apart > 0ms) pair->next = go + pair_apart;
    if (address_apart > 0ms) address->next = go + address_apart;
    return std::chrono::ceil<std::chrono::milliseconds>(go - at);
}

std::optional<LoginGuard::Turn> LoginGuard::admit(const LoginOrigin& origin, const std::string& login,
                                                  Clock::time_point at) {
    const std::lock_guard lock(mutex_);
    Turn turn;
    const auto wait = take_turns(turn, origin, login, at);
    if (!wait) return std::nullopt;
    const bool known = turn.rank == Rank::known;
    turn.wait = *wait;
    if (!known) {
        const auto network = interval(kNetwork, find(key_of(Kind::network, origin, login), at));
        const auto attacked = interval(kLogin, find(key_of(Kind::login, origin, login), at));
        turn.wait = std::max({turn.wait, network, attacked});
    }
    turn.counted_as = key_of(known ? Kind::pair : Kind::address, origin, login);
    std::uint32_t& waiting = waiting_[turn.counted_as];
    if (waiting >= (turn.rank == Rank::suspect ? kMaxWaitingSuspects : kMaxWaiting)) return std::nullopt;
    ++waiting;
    return turn;
}

void LoginGuard::left(const Turn& turn) {
    const std::lock_guard lock(mutex_);
    const auto waiting = waiting_.find(turn.counted_as);
    if (waiting != waiting_.end() && --waiting->second == 0) waiting_.erase(waiting);
}

void LoginGuard::failed(const LoginOrigin& origin, const std::string& login, Clock::time_point at) {
    const std::lock_guard lock(mutex_);
    const bool known = is_known(origin, login, at);
    const auto count_up = [&](Kind kind, const Rule& rule) {
        Count& count = at_key(key_of(kind, origin, login), at);
        if (count.failures < rule.free + kMost) ++count.failures;
        auto apart = interval(rule, &count);
        if (known) apart = std::min(apart, kLongestForKnown);
        count.next = std::max(count.next, at + apart);
    };
    count_up(Kind::pair, kPair);
    // A telephone that has an old password is nobody's attack.
    if (known) return;
    count_up(Kind::address, kAddress);
    count_up(Kind::network, kNetwork);
    if (!login.empty()) count_up(Kind::login, kLogin);
}

// The address keeps its count: whoever has an account of his own must not clear it with that.
void LoginGuard::succeeded(const LoginOrigin& origin, const std::string& login, Clock::time_point at) {
    const std::lock_guard lock(mutex_);
    if (const auto pair = by_key_.find(key_of(Kind::pair, origin, login)); pair != by_key_.end()) {
        counts_.erase(pair->second);
        by_key_.erase(pair);
    }
    const std::string folded = text::lower(login);
    auto found = known_by_login_.find(folded);
    if (found == known_by_login_.end()) {
        if (known_.size() >= kMaxKnownLogins) {
            known_by_login_.erase(known_.back().login);
            known_.pop_back();
        }
        known_.push_front(Known{folded, {}});
        found = known_by_login_.emplace(folded, known_.begin()).first;
    } else {
        known_.splice(known_.begin(), known_, found->second);
    }
    auto& addresses = found->second->addresses;
    const auto same = std::find_if(addresses.begin(), addresses.end(),
                                   [&](const auto& each) { return each.first == origin.address; });
    if (same != addresses.end()) {
        addresses.splice(addresses.begin(), addresses, same);
        addresses.front().second = at;
        return;
    }
    if (addresses.size() >= kMaxKnownAddresses) addresses.pop_back();
    addresses.emplace_front(origin.address, at);
}

}  // namespace mailstead::deliver
