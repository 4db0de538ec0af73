// A DNS server of the test's own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/file_descriptor.h"
#include "common/dns/records.h"
#include "common/net/socket_address.h"

namespace mailstead::dns::test {

// Builds responses byte by byte, so that tests can build broken ones too.
class ResponseBuilder {
public:
    // To `question`; flags: QR RD RA and what is given.
    explicit ResponseBuilder(const Question& question, std::uint16_t flags = 0);
    ResponseBuilder& answer(std::string_view name, std::uint16_t type, std::uint32_t ttl,
                            std::string_view data);
    ResponseBuilder& authority(std::string_view name, std::uint16_t type, std::uint32_t ttl,
                               std::string_view data);
    // With this id.
    std::string bytes(std::uint16_t id) const;

    static std::string name(std::string_view dotted);
    static std::string u16(unsigned value);
    static std::string u32(std::uint32_t value);

private:
    void record(std::string_view name, std::uint16_t type, std::uint32_t ttl, std::string_view data);
    std::uint16_t flags_;
    unsigned answers_ = 0;
    unsigned authorities_ = 0;
    std::string question_;
    std::string records_;
};

struct Query {
    Question question;
    std::uint16_t id = 0;
    bool tcp = false;
    std::string bytes;
};

// On 127.0.0.1, UDP and TCP on the same port. The function gives the response, empty for silence; it runs on
// the server's thread.
class Server {
public:
    explicit Server(std::function<std::string(const Query&)> respond);
    ~Server();
    net::SocketAddress address() const { return address_; }
    // How many queries have come.
    int asked() const { return asked_; }

private:
    void run();
    void answer_udp();
    void answer_tcp();
    std::string respond_to(std::string_view bytes, bool tcp);
    std::function<std::string(const Query&)> respond_;
    FileDescriptor udp_;
    FileDescriptor tcp_;
    FileDescriptor stop_;
    net::SocketAddress address_;
    std::atomic<int> asked_{0};
    std::thread thread_;
};

}  // namespace mailstead::dns::test
