// Questions and answers between daemons over Unix stream sockets, with file descriptors.
//
// A frame is: length of the payload (u32, little-endian), type (u8), request id (u32; 0: no answer wanted),
// number of descriptors (u8), payload. An answer carries the id of its request. The first frame each way is a
// Hello.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "common/base/file_descriptor.h"
#include "common/base/result.h"
#include "common/ipc/messages.h"
#include "common/ipc/roles.h"
#include "common/net/io_threads.h"
#include "common/net/task.h"

namespace mailstead::ipc {

using Descriptors = std::vector<FileDescriptor>;

// A request or a reply.
struct Message {
    MessageType type = MessageType::done;
    std::string payload;
    Descriptors descriptors;
};

struct ChannelLimits {
    std::size_t max_frame = 1024 * 1024;  // bytes of one payload; more ends the connection
    std::size_t max_descriptors = 64;     // in one frame
    std::size_t max_pending =
        10'000;  // client: calls in flight; server: requests of one connection before it stops reading
    std::size_t max_queued_bytes =
        64 * 1024 * 1024;  // waiting to be written; client: calls fail, server: reading stops
};

struct ClientOptions {
    std::string path;     // of the server's socket
    std::string program;  // who we are, for the Hello
    ChannelLimits limits{};
    std::string key_file{};  // of our role; read at every connection. Empty: a server without a key
};
// For whoever asks deliver.
ClientOptions deliver_client(const std::filesystem::path& data_dir, Role role);

// Belongs to the thread of its io_context: one Client per io thread. Connects when first used and again after
// a loss, with a growing pause (10 ms to 1 s) between attempts; in between, calls fail at once.
class Client {
public:
    Client(boost::asio::io_context& context, ClientOptions options);
    // Calls in flight fail.
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // The reply, or a transient error: the peer is away, the connection broke, too many calls, timeout,
    // abort. After an error the request may or may not have been done. A request to stop does not end a call,
    // since the session holds what the call hands over; TaskGroup::abort does. `payload` is overwritten after
    // use if the type is sensitive.
    net::Task<Result<Message>> call(MessageType type, std::string payload, Descriptors descriptors,
                                    net::Timeout timeout);

    // One way; dropped when the peer is away. Whether it was queued.
    bool send(MessageType type, std::string payload);

    // Tries to connect if there is no connection and no pause; whether there is one.
    bool connected();

private:
    struct State;
    std::shared_ptr<State> state_;
};

// What to say about an answer of the wrong type.
Error unexpected_answer(const Message& reply);

// Asks with a message that names its Answer, and decodes. A wrong or refused answer is a transient error.
template <class Question>
net::Task<Result<typename Question::Answer>> ask(Client& client, const Question& question,
                                                 Descriptors descriptors, net::Timeout timeout) {
    std::string payload = question.encode();
    auto reply = co_await client.call(Question::kType, std::move(payload), std::move(descriptors), timeout);
    if (!reply) co_return std::move(reply).error();
    if (reply->type != Question::Answer::kType) co_return unexpected_answer(*reply);
    auto answer = Question::Answer::decode(reply->payload);
    if (is_sensitive(reply->type)) wipe(reply->payload);
    if (!answer) co_return transient_error("malformed answer from peer");
    co_return *std::move(answer);
}
template <class Notice>
bool send(Client& client, const Notice& notice) {
    return client.send(Notice::kType, notice.encode());
}

// Who asks.
struct PeerInfo {
    std::uint64_t connection = 0;  // unique while this process lives
    Role role = Role::admin;       // of the server's socket; the peer showed its key
    std::string program;           // from its Hello
    uid_t uid = 0;
    pid_t pid = 0;
};

template <class Answer>
Message make_message(const Answer& answer) {
    return Message{Answer::kType, answer.encode(), {}};
}
// The answer to a request that cannot be served.
Message refuse(std::string reason);
// Thrown by a handler: the peer asks for what its role is not for. Ends the connection, as a type outside the
// table of roles does.
class NotAllowed : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct ServerOptions {
    std::string program;
    Role role = Role::admin;  // whoever connects has it, and may send what the table in roles.h says
    Secret key{};             // which the peer must show
    ChannelLimits limits{};
    // User ids that may connect besides root and this process's own; others are hung up on.
    std::vector<uid_t> allowed_users;
    // A peer broke the protocol or a handler threw. Any thread.
    std::function<void(std::string_view problem)> on_problem;
};

// Connections are dealt to the threads in turn; each request is a coroutine on its connection's thread;
// replies go out as they come, several at once in one system call.
class Server {
public:
    // The reply; ignored for one-way messages. An exception answers `refused`. `peer` lives as long as the
    // call. The handler overwrites the payload of a sensitive request after decoding it. It is not stopped
    // when its peer goes away.
    using Handler = std::function<net::Task<Message>(Message request, const PeerInfo& peer)>;

    // `listening` from net::bind_unix. `threads` must outlive this.
    Server(net::IoThreads& threads, FileDescriptor listening, ServerOptions options, Handler handler);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // How many requests and connections were turned away for what the peer may not do.
    std::uint64_t refusals() const;

    // Called on the connection's thread when the peer has gone; requests of it may be in hand still, and what
    // they wait for can be given up. Set before start().
    void on_gone(std::function<void(const PeerInfo&)> callback);
    // Called on the connection's thread when the last of them is over, to forget what belonged to it. Set
    // before start().
    void on_disconnect(std::function<void(const PeerInfo&)> callback);

    // Any thread.
    void start();
    // Stops accepting connections and reading requests; replies in hand still go out.
    void request_stop();
    void abort();
    // Blocks until no request is in hand (after request_stop) or the time is over. Not on a pool thread.
    bool wait_idle(std::chrono::milliseconds at_most);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace mailstead::ipc
