#include "deliver/relay/connection.h"

#include <algorithm>
#include <stdexcept>
#include <unistd.h>

#include <boost/throw_exception.hpp>

#include "common/smtp/data_encoder.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;

constexpr auto kHandshake = 60s;
constexpr auto kDataBlock = 3min;  // RFC 5321, 4.5.3.2.5
constexpr auto kClose = 2s;
constexpr std::size_t kChunk = 64 * 1024;

}  // namespace

void throw_exception_from_error(const RecipientVerdict& verdict, const boost::source_location& where) {
    boost::throw_exception(std::logic_error("unchecked verdict: " + verdict.text), where);
}

Connection::Connection(ConnectionOptions options, net::Stream stream)
    : options_(std::move(options)), stream_(std::move(stream)), core_(options_.client) {}

net::Task<Result<std::unique_ptr<Connection>, RecipientVerdict>> Connection::open(ConnectionOptions options) {
    auto connected = co_await net::connect(options.addresses, options.connect);
    if (!connected) {
        co_return RecipientVerdict{
            Verdict::transient,
            {4, 4, 1},
            "cannot connect to " + options.host + ": " + net::describe(connected.error())};
    }
    std::unique_ptr<Connection> self(new Connection(std::move(options), *std::move(connected)));
    ClientAction first = Close{};
    if (self->options_.client.tls == TlsUse::implicit) {
        // Under TLS before the greeting (RFC 8314, 3.3).
        net::TlsClientRequest request;
        request.server_name = self->options_.host;
        request.verify = self->options_.verify;
        auto secured =
            co_await self->stream_.connect_tls(self->options_.tls, request, self->buffer_, kHandshake);
        first = secured ? self->core_.connected()
                        : self->core_.on_failure("TLS handshake failed: " + net::describe(secured.error()));
    } else {
        first = self->core_.connected();
    }
    co_await self->drive(std::move(first));
    if (self->usable_) co_return std::move(self);

    if (self->core_.tls_failed() && self->options_.client.tls == TlsUse::opportunistic) {
        // Opportunistic security (RFC 7435): a broken handshake must not stop the mail.
        ConnectionOptions plain = self->options_;
        plain.client.tls = TlsUse::never;
        self.reset();
        auto again = co_await open(std::move(plain));
        co_return again;
    }
    co_return self->core_.refusal().value_or(
        RecipientVerdict{Verdict::transient, {4, 4, 2}, "the connection broke"});
}

net::Task<std::vector<RecipientVerdict>> Connection::send(Outgoing message, MessageSource source) {
    source_ = std::move(source);
    ++transactions_;
    ClientAction first = core_.start(std::move(message));
    co_await drive(std::move(first));
    co_return core_.verdicts();
}

net::Task<void> Connection::quit() {
    if (usable_) {
        ClientAction farewell = core_.quit();
        co_await drive(std::move(farewell));
    }
    co_await stream_.shutdown(kClose);
}

net::Task<void> Connection::drive(ClientAction action) {
    usable_ = false;
    while (!std::holds_alternative<Idle>(action) && !std::holds_alternative<Close>(action)) {
        ClientAction next = co_await perform(std::move(action));
        action = std::move(next);
    }
    usable_ = std::holds_alternative<Idle>(action);
}

net::Task<ClientAction> Connection::perform(ClientAction action) {
    if (auto* exchange_action = std::get_if<SendAndRead>(&action)) {
        ClientAction next = co_await exchange(std::move(exchange_action->bytes), exchange_action->timeout);
        co_return next;
    }
    if (auto* message = std::get_if<SendMessage>(&action)) {
        ClientAction next = co_await send_message(message->timeout);
        co_return next;
    }
    ClientAction next = co_await upgrade();
    co_return next;
}

net::Task<ClientAction> Connection::exchange(std::string bytes, net::Timeout timeout) {
    if (!bytes.empty()) {
        auto written = co_await stream_.write_all(bytes, timeout);
        if (!written && written.error().kind != net::IoFailure::reset) {
            co_return core_.on_failure("sending to " + peer() + ": " + net::describe(written.error()));
        }
        // After a reset the server's last words may still be there to read: they tell more.
    }
    ClientAction next = co_await read_reply(timeout);
    co_return next;
}

net::Task<ClientAction> Connection::read_reply(net::Timeout timeout) {
    smtp::ReplyParser parser;
    while (true) {
        const auto taken = parser.feed(buffer_.view());
        if (!taken)
            co_return core_.on_failure(peer() + " does not speak SMTP: " + std::string(taken.error().what));
        buffer_.consume(*taken);
        if (parser.done()) break;
        auto filled = co_await stream_.fill(buffer_, timeout);
        if (!filled)
            co_return core_.on_failure("waiting for " + peer() + ": " + net::describe(filled.error()));
    }
    smtp::Reply reply = parser.take();
    co_return core_.on_reply(reply);
}

net::Task<ClientAction> Connection::upgrade() {
    net::TlsClientRequest request;
    request.server_name = options_.host;
    request.verify = options_.verify;
    auto secured = co_await stream_.connect_tls(options_.tls, request, buffer_, kHandshake);
    if (!secured)
        co_return core_.on_failure("TLS handshake with " + peer() + ": " + net::describe(secured.error()));
    co_return core_.on_tls();
}

net::Task<ClientAction> Connection::send_message(net::Timeout timeout) {
    smtp::DataEncoder encoder;
    std::string out;
    std::string chunk(std::min<std::uint64_t>(kChunk, source_.size), '\0');
    encoder.feed(source_.head, out);
    std::uint64_t offset = source_.begin;
    while (offset < source_.size) {
        const ssize_t count =
            ::pread(source_.descriptor, chunk.data(), chunk.size(), static_cast<off_t>(offset));
        // Closing without the final dot takes the message back (RFC 5321, 3.3): the server must not keep half
        // of it.
        if (count <= 0) {
            stream_.close();
            co_return core_.on_failure("the queued message cannot be read");
        }
        offset += static_cast<std::uint64_t>(count);
        encoder.feed(std::string_view(chunk).substr(0, static_cast<std::size_t>(count)), out);
        if (offset == source_.size) break;
        auto written = co_await stream_.write_all(out, kDataBlock);
        if (!written)
            co_return core_.on_failure("sending the message to " + peer() + ": " +
                                       net::describe(written.error()));
        out.clear();
    }
    encoder.finish(out);
    auto written = co_await stream_.write_all(out, kDataBlock);
    if (!written)
        co_return core_.on_failure("sending the message to " + peer() + ": " +
                                   net::describe(written.error()));
    ClientAction next = co_await read_reply(timeout);
    co_return next;
}

std::string Connection::peer() const {
    return options_.host + " [" + stream_.peer().ip.to_string() + "]";
}

std::string Connection::tls() const {
    if (!stream_.is_tls()) return {};
    const net::TlsFacts facts = stream_.tls_facts();
    std::string text = std::string(facts.version) + " " + std::string(facts.cipher);
    if (facts.peer_trust == net::Trust::verified) text += " (verified)";
    if (facts.peer_trust == net::Trust::dane_verified) text += " (DANE)";
    return text;
}

}  // namespace mailstead::deliver
