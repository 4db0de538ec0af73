#include "common/net/listener.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <netinet/in.h>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

#include "certificates.h"
#include "support.h"

namespace mailstead::net::test {
namespace {

// A blocking client.
class Client {
public:
    explicit Client(const SocketAddress& to) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(to.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        timeval limit{20, 0};
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    bool connected() const { return connected_; }
    void send(std::string_view text) {
        EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    std::string read_all() {
        std::string all;
        char buffer[256];
        for (ssize_t got = 0; (got = ::recv(fd_.get(), buffer, sizeof buffer, 0)) > 0;)
            all.append(buffer, static_cast<std::size_t>(got));
        return all;
    }
    std::string read_some() {
        char buffer[256];
        const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
        return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
    }

private:
    FileDescriptor fd_;
    bool connected_ = false;
};

Task<void> greet_and_echo(Stream stream) {
    const auto greeted = co_await stream.write_all("hello ", kLong);
    EXPECT_TRUE(greeted);
    ReadBuffer buffer;
    const auto got = co_await stream.fill(buffer, kLong);
    if (got) {
        const auto written = co_await stream.write_all(buffer.view(), kLong);
        EXPECT_TRUE(written);
    } else {
        const auto written = co_await stream.write_all("bye", kLong);
        EXPECT_TRUE(written);
    }
    co_await stream.shutdown(kShort);
}

FileDescriptor any_port() {
    return *bind_tcp(SocketAddress::parse("127.0.0.1:0").value());
}

TEST(Listener, DealsConnectionsToAllThreads) {
    IoThreads threads(3);
    std::mutex mutex;
    std::set<std::thread::id> ids;
    Listener listener(threads, any_port(), {}, [&](Stream stream) {
        {
            const std::lock_guard lock(mutex);
            ids.insert(std::this_thread::get_id());
        }
        return greet_and_echo(std::move(stream));
    });
    listener.start();
    threads.start();
    for (int i = 0; i < 6; ++i) {
        Client client(listener.address());
        client.send("ping");
        EXPECT_EQ(client.read_all(), "hello ping");
    }
    EXPECT_TRUE(listener.wait_idle(20s));
    EXPECT_EQ(ids.size(), 3U);
}

TEST(Listener, RefusesOverItsLimitsWithAReason) {
    for (const bool per_address : {false, true}) {
        IoThreads threads(1);
        ListenerOptions options;
        options.max_connections = per_address ? 100 : 2;
        options.max_per_address = per_address ? 2 : 100;
        options.count_loopback = true;
        options.refusal_text = [](Refusal why) {
            return why == Refusal::server_full ? "421 full\r\n" : "421 too many from you\r\n";
        };
        Listener listener(threads, any_port(), options, &greet_and_echo);
        listener.start();
        threads.start();
        Client first(listener.address());
        Client second(listener.address());
        EXPECT_EQ(first.read_some(), "hello ");
        EXPECT_EQ(second.read_some(), "hello ");
        Client third(listener.address());
        EXPECT_EQ(third.read_all(), per_address ? "421 too many from you\r\n" : "421 full\r\n");
        first.send("x");
        EXPECT_EQ(first.read_all(), "x");
        second.send("x");
        EXPECT_EQ(second.read_all(), "x");
        EXPECT_TRUE(listener.wait_idle(20s));
        Client fourth(listener.address());
        fourth.send("y");
        EXPECT_EQ(fourth.read_all(), "hello y");
        EXPECT_TRUE(listener.wait_idle(20s));
    }
}

TEST(Listener, StopsAcceptingThenSessionsSayGoodbye) {
    IoThreads threads(2);
    Listener listener(threads, any_port(), {}, &greet_and_echo);
    listener.start();
    threads.start();
    Client client(listener.address());
    EXPECT_EQ(client.read_some(), "hello ");
    listener.stop_accepting();
    listener.request_stop();
    EXPECT_EQ(client.read_all(), "bye");
    EXPECT_TRUE(listener.wait_idle(20s));
    EXPECT_FALSE(Client(listener.address()).connected());
}

TEST(Listener, AbortEndsASessionThatDoesNotListen) {
    IoThreads threads(1);
    Listener listener(threads, any_port(), {}, [](Stream stream) -> Task<void> {
        const std::string endless(50'000'000, 'x');
        const auto written = co_await stream.write_all(endless, kLong);
        EXPECT_FALSE(written);
    });
    listener.start();
    threads.start();
    Client client(listener.address());
    EXPECT_FALSE(client.read_some().empty());
    listener.request_stop();
    EXPECT_FALSE(listener.wait_idle(50ms));
    listener.abort();
    EXPECT_TRUE(listener.wait_idle(20s));
}

TEST(Listener, SurvivesRunningOutOfDescriptors) {
    IoThreads threads(1);
    std::atomic<int> problems{0};
    ListenerOptions options;
    options.on_problem = [&problems](std::string_view) { ++problems; };
    options.refusal_text = [](Refusal) { return "421 later\r\n"; };
    Listener listener(threads, any_port(), options, &greet_and_echo);
    listener.start();
    threads.start();
    {
        Client warm(listener.address());
        warm.send("x");
        EXPECT_EQ(warm.read_all(), "hello x");
    }
    EXPECT_TRUE(listener.wait_idle(20s));
    Client client(SocketAddress{});  // holds a descriptor; its connect fails
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const FileDescriptor probe(::dup(0));
    const FileDescriptor client_socket(::socket(AF_INET, SOCK_STREAM, 0));
    rlimit tight = before;
    tight.rlim_cur = static_cast<rlim_t>(client_socket.get()) + 1;
    setrlimit(RLIMIT_NOFILE, &tight);
    // Every number below the limit is taken now.
    std::vector<FileDescriptor> hoard;
    for (;;) {
        FileDescriptor more(::dup(0));
        if (!more) break;
        hoard.push_back(std::move(more));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(listener.address().port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(client_socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    char buffer[64];
    const ssize_t got = ::recv(client_socket.get(), buffer, sizeof buffer, 0);
    EXPECT_EQ(std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0), "421 later\r\n");
    hoard.clear();
    setrlimit(RLIMIT_NOFILE, &before);
    Client after(listener.address());
    after.send("x");
    EXPECT_EQ(after.read_all(), "hello x");
    EXPECT_EQ(problems, 1);
    EXPECT_TRUE(listener.wait_idle(20s));
}

TEST(Listener, AUnixSocketThatSomebodyListensOnIsLeftAlone) {
    const TemporaryFolder folder;
    const std::string path = folder.file("live.sock");
    const auto first = bind_unix(path, 0600);
    ASSERT_TRUE(first);
    struct stat before {};
    ASSERT_EQ(::stat(path.c_str(), &before), 0);
    EXPECT_FALSE(bind_unix(path, 0600));
    EXPECT_FALSE(bind_unix_datagram(path, 0600));
    struct stat after {};
    ASSERT_EQ(::stat(path.c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino);

    const std::string notices = folder.file("live.notify");
    const auto datagrams = bind_unix_datagram(notices, 0600);
    ASSERT_TRUE(datagrams);
    EXPECT_FALSE(bind_unix_datagram(notices, 0600));
    EXPECT_FALSE(bind_unix(notices, 0600));
}

TEST(Listener, WhatIsNoSocketIsNeverReplacedByOne) {
    const TemporaryFolder folder;
    const std::string path = folder.file("precious");
    std::ofstream(path) << "x";
    EXPECT_FALSE(bind_unix(path, 0600));
    EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST(Listener, UnixSocketReplacesAStaleOneAndHasItsMode) {
    const TemporaryFolder folder;
    const std::string path = folder.file("test.sock");
    { const auto stale = bind_unix(path, 0600); }
    const auto socket = bind_unix(path, 0660);
    ASSERT_TRUE(socket) << socket.error().what;
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0660U);
    EXPECT_FALSE(bind_unix(folder.file(std::string(200, 'x')), 0600));
}

}  // namespace
}  // namespace mailstead::net::test
