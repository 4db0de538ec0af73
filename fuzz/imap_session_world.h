// What the sessions of imap_session_fuzz.cpp live in: an account with some mail, and two clients of it.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "common/base/file_descriptor.h"
#include "common/net/task_group.h"
#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {

// Bytes that one of the clients sends; afterwards everybody does all that can be done.
struct Packet {
    std::size_t client = 0;  // 0 or 1
    std::string_view bytes;
};

// What each client received until the server had closed its connection; nothing when it sent nothing.
using Heard = std::array<std::string, 2>;

class World {
public:
    World();
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    // Sends all packets, then the end of both streams. Aborts when a session throws or does not end.
    Heard converse(StartAt start, std::span<const Packet> packets);

    // Whether any change was applied since the world began: if not, it is as good as a new one.
    bool changed() const { return !backend_.account.history.empty(); }
    // Aborts when what the index counts is not what it holds.
    void check_index();

private:
    struct Client;

    void deliver_mail();
    std::unique_ptr<Client> connect(StartAt start);
    void settle();
    bool exchange();
    void wait_for_pool();

    TestBackend backend_;
    TestLogin logins_;
    ListenerFacts facts_;
    boost::asio::io_context context_;
    std::unique_ptr<net::TaskGroup> tasks_;
    std::array<std::unique_ptr<Client>, 2> clients_;
};

}  // namespace mailstead::imapd
