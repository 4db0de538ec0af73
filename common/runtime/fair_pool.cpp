#include "common/runtime/fair_pool.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <thread>
#include <unordered_map>
#include <vector>

namespace mailstead::runtime {

namespace {

using Clock = std::chrono::steady_clock;

struct Entry {
    FairPool::Ticket ticket = 0;
    Clock::time_point since;
    std::unique_ptr<FairPool::Job> job;
};
struct Address {
    std::string name;
    std::deque<Entry> jobs;
};
struct Network {
    std::string name;
    std::list<Address> turns;  // whose turn it is comes first
    std::size_t queued = 0;
};
struct Lane {
    std::list<Network> turns;
    unsigned credit = 0;
};
constexpr std::array<unsigned, 3> kCredits{16, 4, 1};

using Networks = std::list<Network>;
using Dropped = std::vector<std::unique_ptr<FairPool::Job>>;

template <class List>
auto find_named(List& list, const std::string& name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& each) { return each.name == name; });
}

}  // namespace

struct FairPool::State {
    void work();
    // The next job, out of the queue; jobs that nobody waits for any more go to `dropped`.
    std::optional<Entry> take(std::string& network, Dropped& dropped);
    std::optional<Entry> take_from(Lane& lane, std::string& network, Dropped& dropped);
    Networks::iterator first_that_may_run(Lane& lane);
    Entry take_turn(Lane& lane, Networks::iterator network);
    bool make_room(std::size_t rank, std::size_t queued, Dropped& dropped);
    std::unique_ptr<Job> remove(Ticket ticket);
    void finished(const std::string& network);

    Options options;
    mutable std::mutex mutex;
    std::condition_variable wake;
    std::array<Lane, 3> lanes;
    std::size_t waiting = 0;
    Ticket last_ticket = 0;
    std::unordered_map<std::string, std::size_t> running;  // by network, where that is limited
    bool ending = false;
    std::vector<std::thread> threads;
};

Networks::iterator FairPool::State::first_that_may_run(Lane& lane) {
    if (options.running_per_network == 0) return lane.turns.begin();
    return std::find_if(lane.turns.begin(), lane.turns.end(), [this](const Network& network) {
        const auto found = running.find(network.name);
        return found == running.end() || found->second < options.running_per_network;
    });
}

// Whoever was served goes to the end, address in its network and network in its lane.
Entry FairPool::State::take_turn(Lane& lane, Networks::iterator network) {
    Address& address = network->turns.front();
    Entry entry = std::move(address.jobs.front());
    address.jobs.pop_front();
    --network->queued;
    --waiting;
    if (address.jobs.empty()) {
        network->turns.pop_front();
    } else {
        network->turns.splice(network->turns.end(), network->turns, network->turns.begin());
    }
    if (network->turns.empty()) {
        lane.turns.erase(network);
    } else {
        lane.turns.splice(lane.turns.end(), lane.turns, network);
    }
    return entry;
}

std::optional<Entry> FairPool::State::take_from(Lane& lane, std::string& network, Dropped& dropped) {
    for (;;) {
        const auto next = first_that_may_run(lane);
        if (next == lane.turns.end()) return std::nullopt;
        network = next->name;
        Entry entry = take_turn(lane, next);
        if (Clock::now() - entry.since <= options.patience) return entry;
        dropped.push_back(std::move(entry.job));
    }
}

std::optional<Entry> FairPool::State::take(std::string& network, Dropped& dropped) {
    for (int round = 0; round < 2; ++round) {
        for (Lane& lane : lanes) {
            if (lane.credit == 0) continue;
            auto entry = take_from(lane, network, dropped);
            if (!entry) continue;
            --lane.credit;
            return entry;
        }
        for (std::size_t rank = 0; rank < lanes.size(); ++rank) lanes[rank].credit = kCredits[rank];
    }
    return std::nullopt;
}

void FairPool::State::finished(const std::string& network) {
    if (options.running_per_network == 0) return;
    const std::lock_guard lock(mutex);
    const auto found = running.find(network);
    if (found != running.end() && --found->second == 0) running.erase(found);
    wake.notify_one();
}

void FairPool::State::work() {
    for (;;) {
        std::string network;
        std::optional<Entry> entry;
        Dropped dropped;
        {
            std::unique_lock lock(mutex);
            wake.wait(lock, [&] {
                if (ending) return true;
                entry = take(network, dropped);
                return entry.has_value() || !dropped.empty();
            });
            if (ending && !entry) return;
            if (entry && options.running_per_network != 0) ++running[network];
        }
        for (const auto& job : dropped) job->drop();
        if (!entry) continue;
        entry->job->run();
        entry.reset();
        finished(network);
    }
}

// Takes the youngest job of the network that has the most waiting, looking at the worst rank first.
bool FairPool::State::make_room(std::size_t rank, std::size_t queued, Dropped& dropped) {
    for (std::size_t worst = lanes.size(); worst-- > rank;) {
        Networks& networks = lanes[worst].turns;
        const auto largest =
            std::max_element(networks.begin(), networks.end(),
                             [](const Network& a, const Network& b) { return a.queued < b.queued; });
        if (largest == networks.end()) continue;
        if (worst == rank && largest->queued <= queued + 1) return false;
        const auto address = std::max_element(
            largest->turns.begin(), largest->turns.end(),
            [](const Address& a, const Address& b) { return a.jobs.size() < b.jobs.size(); });
        dropped.push_back(std::move(address->jobs.back().job));
        address->jobs.pop_back();
        if (address->jobs.empty()) largest->turns.erase(address);
        if (--largest->queued == 0) networks.erase(largest);
        --waiting;
        return true;
    }
    return false;
}

std::unique_ptr<FairPool::Job> FairPool::State::remove(Ticket ticket) {
    for (Lane& lane : lanes) {
        for (auto network = lane.turns.begin(); network != lane.turns.end(); ++network) {
            for (auto address = network->turns.begin(); address != network->turns.end(); ++address) {
                auto& jobs = address->jobs;
                const auto found = std::find_if(
                    jobs.begin(), jobs.end(), [ticket](const Entry& each) { return each.ticket == ticket; });
                if (found == jobs.end()) continue;
                std::unique_ptr<Job> job = std::move(found->job);
                jobs.erase(found);
                if (jobs.empty()) network->turns.erase(address);
                if (--network->queued == 0) lane.turns.erase(network);
                --waiting;
                return job;
            }
        }
    }
    return nullptr;
}

FairPool::FairPool(const Options& options) : state_(std::make_unique<State>()) {
    state_->options = options;
    std::size_t threads = options.threads;
    if (threads == 0)
        threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, options.most_threads);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (std::size_t i = 0; i < threads; ++i) {
        state_->threads.emplace_back([this] { state_->work(); });
        pthread_setname_np(state_->threads.back().native_handle(), "fair");
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

FairPool::~FairPool() {
    Dropped dropped;
    {
        const std::lock_guard lock(state_->mutex);
        state_->ending = true;
        for (Lane& lane : state_->lanes) {
            for (Network& network : lane.turns) {
                for (Address& address : network.turns) {
                    for (Entry& entry : address.jobs) dropped.push_back(std::move(entry.job));
                }
            }
            lane.turns.clear();
        }
    }
    state_->wake.notify_all();
    for (const auto& job : dropped) job->drop();
    for (std::thread& thread : state_->threads) thread.join();
}

FairPool::Ticket FairPool::submit(const Customer& customer, std::unique_ptr<Job>& job) {
    Dropped dropped;
    Ticket ticket = 0;
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->ending) return 0;
        const auto rank = static_cast<std::size_t>(customer.rank);
        Networks& networks = state_->lanes[rank].turns;
        auto network = find_named(networks, customer.network);
        const std::size_t queued = network == networks.end() ? 0 : network->queued;
        if (queued >= state_->options.per_network) return 0;
        if (queued != 0) {
            const auto address = find_named(network->turns, customer.address);
            if (address != network->turns.end() && address->jobs.size() >= state_->options.per_address)
                return 0;
        }
        if (state_->waiting >= state_->options.queue && !state_->make_room(rank, queued, dropped)) return 0;
        // Making room may have taken the last of somebody's jobs, but none of this network's.
        if (network == networks.end())
            network = networks.insert(networks.end(), Network{customer.network, {}, 0});
        auto address = find_named(network->turns, customer.address);
        if (address == network->turns.end())
            address = network->turns.insert(network->turns.end(), Address{customer.address, {}});
        ticket = ++state_->last_ticket;
        address->jobs.push_back({ticket, Clock::now(), std::move(job)});
        ++network->queued;
        ++state_->waiting;
    }
    state_->wake.notify_one();
    for (const auto& each : dropped) each->drop();
    return ticket;
}

void FairPool::cancel(Ticket ticket) {
    std::unique_ptr<Job> job;
    {
        const std::lock_guard lock(state_->mutex);
        job = state_->remove(ticket);
    }
    if (job) job->drop();
}

std::size_t FairPool::queued() const {
    const std::lock_guard lock(state_->mutex);
    return state_->waiting;
}

}  // namespace mailstead::runtime
