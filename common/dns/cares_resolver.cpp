#include "common/dns/cares_resolver.h"

#include <algorithm>
#include <map>
#include <netinet/in.h>
#include <optional>
#include <set>

#include <ares.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/dns/cache.h"
#include "common/dns/wire.h"
#include "common/net/deadline.h"
#include "common/net/parking.h"

namespace mailstead::dns {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

// c-ares does servers, retries and TCP; queries and responses are our own bytes, since TTLs and the AD bit
// matter here and ares_query hides them.
struct CaresResolver::State : std::enable_shared_from_this<State> {
    using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

    struct Waiter;
    // A question in flight and everybody who waits for its answer.
    struct Pending {
        State* owner = nullptr;
        Question question;
        std::uint16_t id = 0;
        std::vector<Waiter*> waiting;
    };
    // One caller; lives in its coroutine.
    struct Waiter {
        // The answer may come before the caller is parked: c-ares reports some failures at once.
        void finish(const AnyAnswer& answer) {
            if (parking.occupied()) {
                parking.release(answer);
            } else {
                early = answer;
            }
        }
        static void on_cancel(Waiter* waiter, asio::cancellation_type) {
            waiter->owner->forget(waiter);
            waiter->parking.release(AnyAnswer::failure("cancelled"));
        }
        State* owner;
        Question question;
        std::optional<AnyAnswer> early;
        net::Parking<AnyAnswer> parking;
    };
    // A socket of c-ares, which owns it.
    struct Watch {
        Watch(asio::io_context& context, int socket)
            : fd(socket), descriptor(context.get_executor(), socket) {}
        ~Watch() { let_go(); }
        // Before c-ares closes the socket, whose number may be used again at once.
        void let_go() {
            if (descriptor.is_open()) descriptor.release();
        }
        int fd;
        Descriptor descriptor;
        bool want_read = false;
        bool want_write = false;
        bool reading = false;
        bool writing = false;
    };
    struct Timer : net::Deadline {
        explicit Timer(State* whose) : Deadline(&on_expire), owner(whose) {}
        static void on_expire(Deadline& deadline) {
            static_cast<Timer&>(deadline).owner->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        }
        State* owner;
    };

    State(asio::io_context& where, ResolverOptions given)
        : context(where), options(std::move(given)), cache(options.max_cached) {}
    ~State() { shut_down(); }

    Result<void> open();
    Result<void> open_channel(int more_flags);
    bool all_servers_local() const;
    void shut_down();
    void process(ares_socket_t readable, ares_socket_t writable);
    void set_timer();
    void watch(ares_socket_t socket, bool read, bool write);
    void wait_for(const std::shared_ptr<Watch>& watch, bool read);
    std::uint16_t new_id();
    void send(const Question& question, Waiter& waiter);
    void forget(Waiter* waiter);
    void complete(Pending& pending, int status, std::string_view response);
    AnyAnswer judge(const Pending& pending, int status, std::string_view response);

    static void on_socket(void* state, ares_socket_t socket, int readable, int writable) {
        static_cast<State*>(state)->watch(socket, readable != 0, writable != 0);
    }
    static void on_answer(void* argument, int status, int, unsigned char* bytes, int size) {
        auto& pending = *static_cast<Pending*>(argument);
        const std::string_view response(reinterpret_cast<const char*>(bytes),
                                        bytes == nullptr ? 0 : static_cast<std::size_t>(size));
        pending.owner->complete(pending, status, response);
    }

    asio::io_context& context;
    ResolverOptions options;
    Cache cache;
    ares_channel channel = nullptr;
    bool trust_ad = false;
    std::map<Question, Pending> pending;
    std::set<std::uint16_t> ids;
    std::map<ares_socket_t, std::shared_ptr<Watch>> watches;
    Timer timer{this};
};

Result<void> CaresResolver::State::open() {
    TRY_VOID(open_channel(0));
    const bool local = all_servers_local();
    // RFC 7672, 2.2.1 and RFC 4035, 4.9.3: the bit means something only on a path that nobody can tamper
    // with.
    trust_ad = options.trusted || local;
    // Nor need a question have a port of its own there, which is there against forged answers (RFC
    // 5452, 9.2): one socket for all of them spares a dozen system calls each.
    if (!local) return {};
    ares_destroy(std::exchange(channel, nullptr));
    return open_channel(ARES_FLAG_STAYOPEN);
}

Result<void> CaresResolver::State::open_channel(int more_flags) {
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    ares_options settings{};
    settings.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | more_flags;
    settings.ednspsz = kUdpPayload;
    settings.timeout = static_cast<int>(options.try_timeout.count());
    settings.tries = options.tries;
    settings.sock_state_cb = &on_socket;
    settings.sock_state_cb_data = this;
    const int mask =
        ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    const int status = library != ARES_SUCCESS ? library : ares_init_options(&channel, &settings, mask);
    if (status != ARES_SUCCESS) return permanent_error(std::string("DNS resolver: ") + ares_strerror(status));
    if (!options.servers.empty()) {
        std::string list;
        for (const net::SocketAddress& server : options.servers)
            list.append(list.empty() ? "" : ",").append(server.to_string());
        const int set = ares_set_servers_ports_csv(channel, list.c_str());
        if (set != ARES_SUCCESS) return permanent_error("DNS servers " + list + ": " + ares_strerror(set));
    }
    return {};
}

bool CaresResolver::State::all_servers_local() const {
    ares_addr_port_node* servers = nullptr;
    if (ares_get_servers_ports(channel, &servers) != ARES_SUCCESS || servers == nullptr) return false;
    bool local = true;
    for (const ares_addr_port_node* server = servers; server != nullptr; server = server->next) {
        const bool is_v4 = server->family == AF_INET;
        const auto* const bytes = is_v4 ? reinterpret_cast<const char*>(&server->addr.addr4)
                                        : reinterpret_cast<const char*>(&server->addr.addr6);
        const auto ip = net::ip_from_bytes({bytes, is_v4 ? std::size_t{4} : std::size_t{16}});
        local = local && ip && ip->is_loopback();
    }
    ares_free_data(servers);
    return local;
}

void CaresResolver::State::shut_down() {
    timer.disarm();
    if (channel != nullptr) ares_destroy(std::exchange(channel, nullptr));
    watches.clear();
}

void CaresResolver::State::process(ares_socket_t readable, ares_socket_t writable) {
    if (channel == nullptr) return;
    ares_process_fd(channel, readable, writable);
    set_timer();
}

void CaresResolver::State::set_timer() {
    timer.disarm();
    timeval space{};
    const timeval* const next = ares_timeout(channel, nullptr, &space);
    if (next == nullptr) return;
    timer.arm(context,
              Clock::now() + std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec));
}

void CaresResolver::State::watch(ares_socket_t socket, bool read, bool write) {
    const auto found = watches.find(socket);
    if (!read && !write) {
        if (found == watches.end()) return;
        found->second->let_go();
        watches.erase(found);
        return;
    }
    if (channel == nullptr) return;
    std::shared_ptr<Watch>& watch = found != watches.end() ? found->second : watches[socket];
    if (!watch) watch = std::make_shared<Watch>(context, socket);
    watch->want_read = read;
    watch->want_write = write;
    if (read && !watch->reading) wait_for(watch, true);
    if (write && !watch->writing) wait_for(watch, false);
}

void CaresResolver::State::wait_for(const std::shared_ptr<Watch>& watch, bool read) {
    (read ? watch->reading : watch->writing) = true;
    const auto type =
        read ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write;
    watch->descriptor.async_wait(
        type, [self = weak_from_this(), weak = std::weak_ptr<Watch>(watch), read](const auto& failure) {
            const std::shared_ptr<State> state = self.lock();
            const std::shared_ptr<Watch> watched = weak.lock();
            if (failure || !state || !watched) return;
            const int fd = watched->fd;
            (read ? watched->reading : watched->writing) = false;
            state->process(read ? fd : ARES_SOCKET_BAD, read ? ARES_SOCKET_BAD : fd);
            // Still the same socket, and still of interest?
            const auto current = state->watches.find(fd);
            if (current == state->watches.end() || current->second != watched) return;
            if (read && watched->want_read && !watched->reading) state->wait_for(watched, true);
            if (!read && watched->want_write && !watched->writing) state->wait_for(watched, false);
        });
}

std::uint16_t CaresResolver::State::new_id() {
    for (;;) {
        // Not guessable (RFC 5452, 9.2).
        const std::string bytes = random_bytes(2);
        const auto id = static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) << 8 |
                                                   static_cast<unsigned char>(bytes[1]));
        if (ids.insert(id).second) return id;
    }
}

void CaresResolver::State::send(const Question& question, Waiter& waiter) {
    const auto [entry, is_new] = pending.try_emplace(question);
    entry->second.waiting.push_back(&waiter);
    if (!is_new) return;
    Pending& asked = entry->second;
    asked.owner = this;
    asked.question = question;
    asked.id = new_id();
    const std::string query = write_query(question, asked.id);
    ares_send(channel, reinterpret_cast<const unsigned char*>(query.data()), static_cast<int>(query.size()),
              &on_answer, &asked);
    set_timer();
}

// The question itself goes on: its answer will be in the cache.
void CaresResolver::State::forget(Waiter* waiter) {
    const auto entry = pending.find(waiter->question);
    if (entry != pending.end()) std::erase(entry->second.waiting, waiter);
}

AnyAnswer CaresResolver::State::judge(const Pending& asked, int status, std::string_view response) {
    // NXDOMAIN and "no data" come as errors here, with the response; what matters stands in the response.
    if (response.empty()) return AnyAnswer::failure(ares_strerror(status));
    auto answer = read_response(response, asked.question, trust_ad);
    if (!answer) return AnyAnswer::failure(answer.error().what);
    return *std::move(answer);
}

void CaresResolver::State::complete(Pending& asked, int status, std::string_view response) {
    AnyAnswer answer = judge(asked, status, response);
    const Seconds ttl =
        std::min(answer.ttl, answer.found() ? Seconds(options.max_ttl) : Seconds(options.max_negative_ttl));
    if (!answer.failed() && ttl > Seconds(0)) cache.put(asked.question, answer, Clock::now() + ttl);
    const std::vector<Waiter*> waiting = std::move(asked.waiting);
    ids.erase(asked.id);
    const Question question = asked.question;
    pending.erase(question);
    for (Waiter* const waiter : waiting) waiter->finish(answer);
}

CaresResolver::CaresResolver(std::shared_ptr<State> state) : state_(std::move(state)) {}

CaresResolver::~CaresResolver() {
    state_->shut_down();
}

Result<std::unique_ptr<CaresResolver>> CaresResolver::create(asio::io_context& context,
                                                             ResolverOptions options) {
    auto state = std::make_shared<State>(context, std::move(options));
    TRY_VOID(state->open());
    return std::unique_ptr<CaresResolver>(new CaresResolver(std::move(state)));
}

net::Task<AnyAnswer> CaresResolver::resolve(Question question) {
    const std::shared_ptr<State> state = state_;
    const auto stop = co_await asio::this_coro::cancellation_state;
    if (stop.cancelled() != asio::cancellation_type::none) co_return AnyAnswer::failure("cancelled");
    if (!is_askable(question.name)) co_return AnyAnswer::no_name();
    question.name = text::lower(question.name);
    if (question.name.ends_with('.')) question.name.pop_back();
    const auto time = Clock::now();
    std::optional<AnyAnswer> cached = state->cache.find(question, time);
    if (cached) co_return *std::move(cached);
    if (state->channel == nullptr) co_return AnyAnswer::failure("shutting down");
    if (state->pending.size() >= state->options.max_pending)
        co_return AnyAnswer::failure("too many questions are waiting");
    State::Waiter waiter{state.get(), question, std::nullopt, {}};
    state->send(question, waiter);
    if (waiter.early) co_return *std::move(waiter.early);
    AnyAnswer answer = co_await waiter.parking.park(&waiter, &State::Waiter::on_cancel);
    co_return answer;
}

void CaresResolver::forget() {
    state_->cache.clear();
}

}  // namespace mailstead::dns
