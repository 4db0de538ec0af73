#include <algorithm>
#include <atomic>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ipc/channel.h"
#include "common/ipc/connection.h"
#include "common/net/listener.h"
#include "common/net/parking.h"

namespace mailstead::ipc {

namespace asio = boost::asio;

namespace {

// Of all servers of this process: what belongs to a connection is found by this number alone.
std::uint64_t next_connection() {
    static std::atomic<std::uint64_t> connections{0};
    return connections.fetch_add(1) + 1;
}

std::string describe(const PeerInfo& peer) {
    return std::string(to_string(peer.role)) + " (process " + std::to_string(peer.pid) + ", user " +
           std::to_string(peer.uid) + ")";
}

}  // namespace

struct Server::State : std::enable_shared_from_this<State> {
    class Link;

    State(net::IoThreads& pool, ServerOptions given, Handler what)
        : threads(pool), options(std::move(given)), handler(std::move(what)) {
        for (std::size_t i = 0; i < pool.size(); ++i)
            groups.push_back(std::make_unique<net::TaskGroup>(pool.context(i)));
    }

    static net::Task<void> run(std::shared_ptr<State> self, net::Stream stream);
    bool may_connect(const PeerInfo& peer) const;
    void complain(const std::string& problem) const {
        if (options.on_problem) options.on_problem(problem);
    }
    net::TaskGroup& group_of(asio::io_context& context) {
        for (const auto& group : groups) {
            if (&group->context() == &context) return *group;
        }
        return *groups.front();
    }

    net::IoThreads& threads;
    ServerOptions options;
    Handler handler;
    std::function<void(const PeerInfo&)> gone;
    std::function<void(const PeerInfo&)> disconnected;
    std::vector<std::unique_ptr<net::TaskGroup>> groups;  // handlers in hand, by thread
    std::unique_ptr<net::Listener> listener;
    std::atomic<std::uint64_t> refusals{0};
};

// One client.
class Server::State::Link final : public Connection {
public:
    Link(net::Stream stream, net::TaskGroup& tasks, std::shared_ptr<State> owner, const PeerInfo& peer)
        : Connection(std::move(stream), owner->options.limits, tasks),
          owner_(std::move(owner)),
          peer_(peer) {}

    const PeerInfo& peer() const { return peer_; }
    // Until no request is in hand and all replies are out.
    static net::Task<void> drain(std::shared_ptr<Link> self) {
        while (self->in_hand_ != 0 || (self->is_open() && self->queued_bytes() != 0)) {
            co_await self->drained_.park(self.get(), &ignore);
        }
    }

private:
    static void ignore(Link*, asio::cancellation_type) {}

    bool on_frame(Frame frame, std::string& problem) override;
    bool may_read() const override {
        return in_hand_ < limits_.max_pending && in_hand_bytes_ + queued_bytes() <= limits_.max_queued_bytes;
    }
    void on_written() override {
        drained_.release(true);
        if (may_read()) resume_reading();
    }
    bool greet(Frame& frame, std::string& problem);
    void turn_away(const std::string& problem);
    void finished(std::uint32_t id, std::size_t request_bytes, Message reply);
    static net::Task<void> serve(std::shared_ptr<Link> self, Frame frame);

    std::shared_ptr<State> owner_;
    PeerInfo peer_;
    bool greeted_ = false;
    std::size_t in_hand_ = 0;        // requests whose handlers run
    std::size_t in_hand_bytes_ = 0;  // of their payloads
    net::Parking<bool> drained_;
};

bool Server::State::Link::greet(Frame& frame, std::string& problem) {
    const auto hello = frame.message.type == MessageType::hello ? Hello::decode(frame.message.payload)
                                                                : ParseError("no Hello first", 0);
    if (!hello || hello->version != kProtocolVersion) {
        problem = hello ? "the peer speaks another version of the protocol" : std::string(hello.error().what);
        return false;
    }
    wipe(frame.message.payload);
    peer_.program = hello->program;
    if (!equal_in_constant_time(owner_->options.key.reveal(), hello->key.reveal())) {
        ++owner_->refusals;
        problem = "the key of its role is not what it showed";
        return false;
    }
    greeted_ = true;
    Hello answer;
    answer.program = owner_->options.program;
    push(Frame{0, make_message(answer)});
    return true;
}

bool Server::State::Link::on_frame(Frame frame, std::string& problem) {
    if (!greeted_) return greet(frame, problem);
    if (!may_send(peer_.role, frame.message.type)) {
        ++owner_->refusals;
        problem = "may not send " + std::string(to_string(frame.message.type));
        return false;
    }
    ++in_hand_;
    in_hand_bytes_ += frame.message.payload.size();
    tasks_.spawn(serve(std::static_pointer_cast<Link>(shared_from_this()), std::move(frame)));
    return true;
}

net::Task<void> Server::State::Link::serve(std::shared_ptr<Link> self, Frame frame) {
    const std::uint32_t id = frame.id;
    const std::size_t request_bytes = frame.message.payload.size();
    Message reply;
    std::string thrown;
    try {
        reply = co_await self->owner_->handler(std::move(frame.message), self->peer_);
    } catch (const NotAllowed& refusal) {
        self->turn_away(refusal.what());
        reply = refuse("not allowed");
    } catch (const std::exception& exception) {
        thrown = exception.what();
    } catch (...) {
        thrown = "unknown exception";
    }
    if (!thrown.empty()) {
        self->owner_->complain("a request failed: " + thrown);
        reply = refuse("the request failed");
    }
    self->finished(id, request_bytes, std::move(reply));
}

void Server::State::Link::turn_away(const std::string& problem) {
    if (!is_open()) return;  // one line for a connection
    ++owner_->refusals;
    owner_->complain(describe(peer_) + ": " + problem);
    close();
}

void Server::State::Link::finished(std::uint32_t id, std::size_t request_bytes, Message reply) {
    const bool was_full = !may_read();
    --in_hand_;
    in_hand_bytes_ -= request_bytes;
    if (id != 0 && reply.payload.size() > limits_.max_frame) reply = refuse("the answer is too large");
    if (id != 0) push(Frame{id, std::move(reply)});
    if (queued_bytes() == 0 || !is_open()) drained_.release(true);
    if (was_full && may_read()) resume_reading();
}

bool Server::State::may_connect(const PeerInfo& peer) const {
    return peer.uid == 0 || peer.uid == geteuid() ||
           std::ranges::find(options.allowed_users, peer.uid) != options.allowed_users.end();
}

net::Task<void> Server::State::run(std::shared_ptr<State> self, net::Stream stream) {
    if (!self) co_return;
    PeerInfo peer;
    ucred credentials{};
    socklen_t size = sizeof credentials;
    peer.connection = next_connection();
    peer.role = self->options.role;
    if (getsockopt(stream.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) co_return;
    peer.uid = credentials.uid;
    peer.pid = credentials.pid;
    if (!self->may_connect(peer)) {
        self->complain("user " + std::to_string(peer.uid) + " may not connect");
        co_return;
    }
    net::TaskGroup& tasks = self->group_of(stream.context());
    auto link = std::make_shared<Link>(std::move(stream), tasks, self, peer);
    const std::string reason = co_await Connection::read_all(link);
    const bool stopping = co_await net::stop_requested();
    if (!stopping) {
        if (reason != "closed by peer" && reason != "closed")
            self->complain(describe(link->peer()) + ": " + reason);
        link->close();
        if (self->gone) self->gone(link->peer());
    }
    co_await Link::drain(link);
    link->close();
    if (self->disconnected) self->disconnected(link->peer());
}

Server::Server(net::IoThreads& threads, FileDescriptor listening, ServerOptions options, Handler handler)
    : state_(std::make_shared<State>(threads, std::move(options), std::move(handler))) {
    net::ListenerOptions listener;
    listener.max_connections = 1'000;
    listener.on_problem = state_->options.on_problem;
    // The listener is part of the state: its sessions hold the state, it must not.
    const std::weak_ptr<State> weak = state_;
    state_->listener = std::make_unique<net::Listener>(
        threads, std::move(listening), std::move(listener),
        [weak](net::Stream stream) { return State::run(weak.lock(), std::move(stream)); });
}

Server::~Server() {
    // While the threads' contexts are there for sure: the rest may go with the last of their tasks.
    state_->listener.reset();
}

void Server::on_gone(std::function<void(const PeerInfo&)> callback) {
    state_->gone = std::move(callback);
}

std::uint64_t Server::refusals() const {
    return state_->refusals.load();
}

void Server::on_disconnect(std::function<void(const PeerInfo&)> callback) {
    state_->disconnected = std::move(callback);
}

void Server::start() {
    state_->listener->start();
}

void Server::request_stop() {
    state_->listener->stop_accepting();
    state_->listener->request_stop();
}

void Server::abort() {
    state_->listener->abort();
    state_->threads.post_all([state = state_](std::size_t index) { state->groups[index]->abort(); });
}

bool Server::wait_idle(std::chrono::milliseconds at_most) {
    return state_->listener->wait_idle(at_most);
}

}  // namespace mailstead::ipc
