#include "dns_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "common/base/text.h"
#include "common/net/listener.h"

namespace mailstead::dns::test {

std::string ResponseBuilder::u16(unsigned value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string ResponseBuilder::u32(std::uint32_t value) {
    return u16(value >> 16) + u16(value & 0xFFFF);
}

std::string ResponseBuilder::name(std::string_view dotted) {
    std::string encoded;
    while (!dotted.empty()) {
        const std::string_view label = text::next_field(dotted, '.');
        encoded += static_cast<char>(label.size());
        encoded.append(label);
    }
    return encoded + '\0';
}

ResponseBuilder::ResponseBuilder(const Question& question, std::uint16_t flags)
    : flags_(static_cast<std::uint16_t>(0x8180 | flags)),
      question_(name(question.name) + u16(static_cast<unsigned>(question.type)) + u16(1)) {}

void ResponseBuilder::record(std::string_view owner, std::uint16_t type, std::uint32_t ttl,
                             std::string_view data) {
    records_ += name(owner) + u16(type) + u16(1) + u32(ttl) + u16(static_cast<unsigned>(data.size())) +
                std::string(data);
}

ResponseBuilder& ResponseBuilder::answer(std::string_view owner, std::uint16_t type, std::uint32_t ttl,
                                         std::string_view data) {
    ++answers_;
    record(owner, type, ttl, data);
    return *this;
}

ResponseBuilder& ResponseBuilder::authority(std::string_view owner, std::uint16_t type, std::uint32_t ttl,
                                            std::string_view data) {
    ++authorities_;
    record(owner, type, ttl, data);
    return *this;
}

std::string ResponseBuilder::bytes(std::uint16_t id) const {
    return u16(id) + u16(flags_) + u16(1) + u16(answers_) + u16(authorities_) + u16(0) + question_ + records_;
}

Server::Server(std::function<std::string(const Query&)> respond)
    : respond_(std::move(respond)),
      tcp_(*net::bind_tcp(net::SocketAddress::parse("127.0.0.1:0").value())),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    address_ = net::bound_address(tcp_);
    udp_ = FileDescriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(address_.port);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(udp_.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here), 0);
    thread_ = std::thread([this] { run(); });
}

Server::~Server() {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(stop_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    thread_.join();
}

void Server::run() {
    for (;;) {
        pollfd waits[] = {{stop_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
        ::poll(waits, 3, -1);
        if (waits[0].revents != 0) return;
        if (waits[1].revents != 0) answer_udp();
        if (waits[2].revents != 0) answer_tcp();
    }
}

std::string Server::respond_to(std::string_view bytes, bool tcp) {
    ++asked_;
    Query query;
    query.tcp = tcp;
    query.bytes = bytes;
    query.id = static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) << 8 |
                                          static_cast<unsigned char>(bytes[1]));
    std::size_t at = 12;
    while (at < bytes.size() && bytes[at] != 0) {
        const auto size = static_cast<unsigned char>(bytes[at]);
        if (!query.question.name.empty()) query.question.name += '.';
        query.question.name += bytes.substr(at + 1, size);
        at += size + 1U;
    }
    query.question.type = static_cast<RecordType>(static_cast<unsigned char>(bytes[at + 2]));
    return respond_(query);
}

void Server::answer_udp() {
    char buffer[4096];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        ::recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 12) return;
    const std::string response = respond_to({buffer, static_cast<std::size_t>(got)}, false);
    if (response.empty()) return;
    ::sendto(udp_.get(), response.data(), response.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
}

void Server::answer_tcp() {
    const FileDescriptor peer(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char buffer[4096];
    const ssize_t got = ::recv(peer.get(), buffer, sizeof buffer, 0);
    if (got < 14) return;
    const std::string response = respond_to({buffer + 2, static_cast<std::size_t>(got) - 2}, true);
    const std::string framed = ResponseBuilder::u16(static_cast<unsigned>(response.size())) + response;
    EXPECT_EQ(::send(peer.get(), framed.data(), framed.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(framed.size()));
    // The client keeps the connection for later questions: until it closes it, or the server stops.
    pollfd waits[] = {{stop_.get(), POLLIN, 0}, {peer.get(), POLLIN, 0}};
    while (::poll(waits, 2, -1) > 0 && waits[0].revents == 0) {
        if (::recv(peer.get(), buffer, sizeof buffer, 0) <= 0) return;
    }
}

}  // namespace mailstead::dns::test
