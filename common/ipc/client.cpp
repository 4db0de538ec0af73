#include <chrono>
#include <unordered_map>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/ipc/channel.h"
#include "common/ipc/connection.h"
#include "common/net/connect.h"
#include "common/net/deadline.h"
#include "common/net/parking.h"

namespace mailstead::ipc {

namespace asio = boost::asio;

namespace {

constexpr net::Timeout kFirstPause{10};
constexpr net::Timeout kLongestPause{1'000};

}  // namespace

struct Client::State : std::enable_shared_from_this<State> {
    class Link;

    // A caller that waits; lives in its coroutine.
    struct Call : net::Deadline {
        Call(State* whose, std::uint32_t number) : Deadline(&on_expire), owner(whose), id(number) {}
        void finish(Result<Message> result) {
            owner->calls.erase(id);
            disarm();
            parking.release(std::move(result));
        }
        static void on_expire(Deadline& deadline) {
            static_cast<Call&>(deadline).finish(transient_error("timed out"));
        }
        // A request to stop leaves the call alone: what it hands over has no other owner.
        static void on_cancel(Call* call, asio::cancellation_type type) {
            if ((type & asio::cancellation_type::terminal) != asio::cancellation_type::none)
                call->finish(transient_error("cancelled"));
        }
        State* owner;
        std::uint32_t id;
        net::Parking<Result<Message>> parking;
    };

    State(asio::io_context& where, ClientOptions given)
        : context(where), options(std::move(given)), tasks(where) {}

    bool connect();
    void lost(const std::string& reason);
    bool on_reply(Frame frame, std::string& problem);
    static net::Task<void> read(std::shared_ptr<State> self, std::shared_ptr<Connection> link);
    std::uint32_t new_id();
    std::string problem_with(const std::string& payload, const Descriptors& descriptors) const;

    asio::io_context& context;
    ClientOptions options;
    net::TaskGroup tasks;
    std::shared_ptr<Link> link;
    std::unordered_map<std::uint32_t, Call*> calls;
    std::uint32_t last_id = 0;
    net::Timeout pause = kFirstPause;
    std::chrono::steady_clock::time_point next_attempt{};
    std::string why_away = "not connected";
};

class Client::State::Link final : public Connection {
public:
    Link(net::Stream stream, const ChannelLimits& limits, std::shared_ptr<State> owner)
        : Connection(std::move(stream), limits, owner->tasks), owner_(std::move(owner)) {}

private:
    bool on_frame(Frame frame, std::string& problem) override {
        return owner_->on_reply(std::move(frame), problem);
    }
    std::shared_ptr<State> owner_;  // given up with the connection's tasks
};

bool Client::State::connect() {
    if (link) return true;
    const auto time = std::chrono::steady_clock::now();
    if (time < next_attempt) return false;
    const auto put_off = [&](std::string why) {
        why_away = std::move(why);
        next_attempt = time + pause;
        pause = std::min(pause * 2, kLongestPause);
        return false;
    };
    auto stream = net::connect_unix(context, options.path);
    if (!stream) return put_off(std::string(net::describe(stream.error())));
    Hello hello;
    hello.program = options.program;
    if (!options.key_file.empty()) {
        auto key = read_key(options.key_file);
        if (!key) return put_off(key.error().what);
        hello.key = *std::move(key);
    }
    link = std::make_shared<Link>(*std::move(stream), options.limits, shared_from_this());
    link->push(Frame{0, make_message(hello)});
    tasks.spawn(read(shared_from_this(), link));
    return true;
}

net::Task<void> Client::State::read(std::shared_ptr<State> self, std::shared_ptr<Connection> connection) {
    const std::string reason = co_await Connection::read_all(connection);
    connection->close();
    if (self->link == connection) self->lost(reason);
}

void Client::State::lost(const std::string& reason) {
    link.reset();
    why_away = reason;
    next_attempt = std::chrono::steady_clock::now() + pause;
    pause = std::min(pause * 2, kLongestPause);
    while (!calls.empty()) calls.begin()->second->finish(transient_error("connection lost: " + reason));
}

bool Client::State::on_reply(Frame frame, std::string& problem) {
    if (frame.message.type == MessageType::hello) {
        const auto hello = Hello::decode(frame.message.payload);
        if (hello && hello->version == kProtocolVersion) {
            pause = kFirstPause;
            return true;
        }
        problem = "the peer speaks another version of the protocol";
        return false;
    }
    const auto call = calls.find(frame.id);
    if (call != calls.end()) call->second->finish(std::move(frame.message));
    return true;  // an answer nobody waits for came after its timeout
}

std::uint32_t Client::State::new_id() {
    do {
        if (++last_id == 0) last_id = 1;
    } while (calls.contains(last_id));
    return last_id;
}

std::string Client::State::problem_with(const std::string& payload, const Descriptors& descriptors) const {
    if (payload.size() > options.limits.max_frame) return "message too large";
    if (descriptors.size() > options.limits.max_descriptors) return "too many descriptors";
    if (calls.size() >= options.limits.max_pending) return "too many calls are waiting";
    if (link && link->queued_bytes() > options.limits.max_queued_bytes) return "the peer is too slow";
    return {};
}

ClientOptions deliver_client(const std::filesystem::path& data_dir, Role role) {
    ClientOptions options;
    options.path = socket_path(data_dir, role);
    options.program = to_string(role);
    options.key_file = key_path(data_dir, role);
    return options;
}

Client::Client(asio::io_context& context, ClientOptions options)
    : state_(std::make_shared<State>(context, std::move(options))) {}

Client::~Client() {
    const std::shared_ptr<Connection> link = std::exchange(state_->link, nullptr);
    if (link) link->close();
    while (!state_->calls.empty()) state_->calls.begin()->second->finish(transient_error("shutting down"));
}

net::Task<Result<Message>> Client::call(MessageType type, std::string payload, Descriptors descriptors,
                                        net::Timeout timeout) {
    const std::shared_ptr<State> state = state_;
    const std::string problem = state->problem_with(payload, descriptors);
    if (!problem.empty() || !state->connect()) {
        if (is_sensitive(type)) wipe(payload);
        co_return transient_error(problem.empty() ? "peer is away: " + state->why_away : problem);
    }
    State::Call call(state.get(), state->new_id());
    state->calls.emplace(call.id, &call);
    call.arm(state->context, net::Deadline::Clock::now() + timeout);
    state->link->push(Frame{call.id, Message{type, std::move(payload), std::move(descriptors)}});
    auto result = co_await call.parking.park(&call, &State::Call::on_cancel);
    co_return result;
}

Error unexpected_answer(const Message& reply) {
    const auto refused =
        reply.type == MessageType::refused ? Refused::decode(reply.payload) : ParseError("not a refusal", 0);
    return transient_error(refused ? "refused by peer: " + refused->reason : "unexpected answer from peer");
}

bool Client::send(MessageType type, std::string payload) {
    const Descriptors none;
    if (!state_->problem_with(payload, none).empty() || !state_->connect()) return false;
    state_->link->push(Frame{0, Message{type, std::move(payload), {}}});
    return true;
}

bool Client::connected() {
    return state_->connect();
}

}  // namespace mailstead::ipc
