#include "deliver/relay/relay.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <unistd.h>

#include "common/base/text.h"
#include "common/mime/headers.h"

namespace mailstead::deliver {
namespace {

constexpr std::size_t kTransactionsPerConnection = 100;
constexpr std::size_t kIdlePerDestination = 4;
constexpr std::size_t kRecipientsPerTransaction = 100;  // RFC 5321, 4.5.3.1.8: every server takes that many
constexpr std::size_t kHeaderLook = 64 * 1024;
constexpr std::size_t kAddressesPerHost = 6;
constexpr std::size_t kLongestReturnPath = 1024;

void shuffle(std::vector<std::string>& names) {
    thread_local std::minstd_rand chance{std::random_device{}()};
    std::shuffle(names.begin(), names.end(), chance);
}

Attempt all(const std::vector<std::uint32_t>& recipients, const RecipientVerdict& verdict) {
    Attempt attempt;
    for (const std::uint32_t recipient : recipients) attempt.results.push_back({recipient, verdict});
    return attempt;
}

// Whether the header has bytes above 127, which only SMTPUTF8 servers may be sent (RFC 6532).
bool header_is_ascii(int descriptor) {
    std::string bytes(kHeaderLook, '\0');
    const ssize_t count = ::pread(descriptor, bytes.data(), bytes.size(), 0);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text::is_ascii(std::string_view(bytes).substr(0, mime::header_size(bytes)));
}

// Where the message begins for others: a Return-Path that smtpd wrote for the mailboxes here does not leave
// this host (RFC 5321, 4.4).
std::uint64_t start_for_others(int descriptor) {
    constexpr std::string_view kField = "Return-Path:";
    std::string bytes(kLongestReturnPath, '\0');
    const ssize_t count = ::pread(descriptor, bytes.data(), bytes.size(), 0);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    const std::size_t end = bytes.find("\r\n");
    return text::istarts_with(bytes, kField) && end != std::string::npos ? end + 2 : 0;
}

Result<Secret> read_password(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::string line;
    if (!std::getline(in, line))
        return transient_error("cannot read the smarthost's password from " + file.string());
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return Secret::take(line);
}

std::optional<smtp::Notify> notify_of(ipc::NotifyFlags flags) {
    if (flags == 0) return std::nullopt;
    smtp::Notify notify;
    notify.success = (flags & ipc::kNotifySuccess) != 0;
    notify.failure = (flags & ipc::kNotifyFailure) != 0;
    notify.delay = (flags & ipc::kNotifyDelay) != 0;
    return notify;
}

}  // namespace

Outgoing outgoing_for(const queue::QueueEntry& entry, const std::vector<std::uint32_t>& recipients,
                      bool header_is_ascii) {
    Outgoing out;
    out.from = entry.envelope.reverse_path;
    out.size = entry.size;
    out.eight_bit = entry.envelope.body != ipc::BodyType::seven_bit;
    // A submission with SMTPUTF8 that turns out to be ASCII throughout goes to every server.
    out.needs_smtputf8 = !header_is_ascii && entry.envelope.smtputf8;
    if (out.from && !out.from->is_ascii()) out.needs_smtputf8 = true;
    if (!entry.envelope.envid.empty()) out.envid = entry.envelope.envid;
    if (entry.envelope.ret == ipc::ReturnContent::full) out.ret = smtp::DsnReturn::full;
    if (entry.envelope.ret == ipc::ReturnContent::headers) out.ret = smtp::DsnReturn::headers;
    for (const std::uint32_t index : recipients) {
        const ipc::Recipient& recipient = entry.recipients[index].recipient;
        const auto* remote = std::get_if<ipc::Remote>(&recipient.target);
        Outgoing::To to{remote ? remote->address : recipient.address, notify_of(recipient.notify),
                        std::nullopt};
        if (!recipient.orcpt.empty()) to.orcpt = smtp::parse_original_recipient(recipient.orcpt);
        if (!to.address.is_ascii()) out.needs_smtputf8 = true;
        out.to.push_back(std::move(to));
    }
    return out;
}

Relay::Relay(RelayParts parts) : parts_(std::move(parts)) {}
Relay::~Relay() = default;

net::Task<Attempt> Relay::send(const queue::QueueEntry& entry, std::vector<std::uint32_t> recipients,
                               std::string destination, int descriptor) {
    MessageSource source;
    source.descriptor = descriptor;
    source.begin = start_for_others(descriptor);
    source.size = entry.size;
    // Only what our own people or we ourselves wrote is ours to sign.
    if (entry.account || entry.is_report()) {
        std::optional<Domain> fallback;
        if (entry.envelope.reverse_path) fallback = entry.envelope.reverse_path->domain();
        auto signature = parts_.signer->sign(descriptor, entry.size, fallback, now());
        if (!signature)
            co_return all(recipients,
                          {Verdict::transient, {4, 3, 0}, "cannot sign: " + signature.error().what});
        source.head = *std::move(signature);
    }

    bool reused = false;
    auto opened = co_await acquire(destination, reused);
    if (!opened) co_return all(recipients, opened.error());
    std::unique_ptr<Connection> connection = *std::move(opened);
    auto results = co_await transact(*connection, entry, recipients, source);

    // A kept connection that the server had closed meanwhile says nothing about the message.
    const bool broken = reused && !connection->usable() && connection->transactions() > 1;
    if (broken && std::all_of(results.begin(), results.end(), [](const auto& r) {
            return r.verdict.status == smtp::EnhancedCode{4, 4, 2};
        })) {
        auto fresh = co_await open(destination);
        if (!fresh) co_return all(recipients, fresh.error());
        connection = *std::move(fresh);
        results = co_await transact(*connection, entry, recipients, source);
    }

    Attempt attempt;
    attempt.results = std::move(results);
    attempt.host = connection->peer();
    attempt.tls = connection->tls();
    attempt.dsn_passed_on = connection->capabilities().dsn;
    give_back(destination, std::move(connection));
    co_return attempt;
}

net::Task<std::vector<AttemptResult>> Relay::transact(Connection& connection, const queue::QueueEntry& entry,
                                                      std::vector<std::uint32_t> recipients,
                                                      MessageSource source) {
    const bool ascii = header_is_ascii(source.descriptor);
    const std::size_t most = std::min<std::size_t>(
        kRecipientsPerTransaction, connection.capabilities().limit_rcpt_max.value_or(UINT32_MAX));
    std::vector<AttemptResult> results;
    for (std::size_t begin = 0; begin < recipients.size();) {
        const std::size_t end = std::min(recipients.size(), begin + std::max<std::size_t>(most, 1));
        const std::vector<std::uint32_t> group(recipients.begin() + static_cast<std::ptrdiff_t>(begin),
                                               recipients.begin() + static_cast<std::ptrdiff_t>(end));
        std::vector<RecipientVerdict> verdicts(
            group.size(), {Verdict::transient, {4, 4, 2}, "the connection ended before this recipient"});
        if (begin == 0 || connection.usable()) {
            Outgoing outgoing = outgoing_for(entry, group, ascii);
            verdicts = co_await connection.send(std::move(outgoing), source);
        }
        for (std::size_t i = 0; i < group.size(); ++i) results.push_back({group[i], verdicts[i]});
        begin = end;
    }
    co_return results;
}

net::Task<Relay::Opened> Relay::acquire(std::string destination, bool& reused) {
    if (auto kept = take_idle(destination)) {
        reused = true;
        co_return std::move(kept);
    }
    auto opened = co_await open(std::move(destination));
    co_return opened;
}

std::unique_ptr<Connection> Relay::take_idle(const std::string& destination) {
    const auto at = idle_.find(destination);
    if (at == idle_.end() || at->second.empty()) return nullptr;
    auto connection = std::move(at->second.back().connection);
    at->second.pop_back();
    return connection;
}

void Relay::give_back(const std::string& destination, std::unique_ptr<Connection> connection) {
    auto& kept = idle_[destination];
    if (!connection->usable() || connection->transactions() >= kTransactionsPerConnection ||
        kept.size() >= kIdlePerDestination)
        return;
    kept.push_back({std::move(connection), std::chrono::steady_clock::now()});
}

net::Task<void> Relay::close_idle(Milliseconds idle) {
    std::vector<std::unique_ptr<Connection>> old;
    const auto limit = std::chrono::steady_clock::now() - idle;
    for (auto& [destination, kept] : idle_) {
        for (auto& each : kept) {
            if (each.since <= limit) old.push_back(std::move(each.connection));
        }
        std::erase_if(kept, [](const Idler& each) { return !each.connection; });
    }
    std::erase_if(idle_, [](const auto& each) { return each.second.empty(); });
    for (auto& connection : old) co_await connection->quit();
}

net::Task<Relay::Opened> Relay::open(std::string destination) {
    const auto domain = Domain::parse(destination);
    if (!domain) co_return RecipientVerdict{Verdict::permanent, {5, 1, 2}, "not a domain: " + destination};
    if (const auto& smarthost = parts_.settings->relay.smarthost_for(*domain)) {
        auto opened = co_await open_smarthost(*smarthost);
        co_return opened;
    }
    if (domain->is_literal()) {
        auto opened = co_await open_literal(*domain);
        co_return opened;
    }
    auto opened = co_await open_by_mx(*domain);
    co_return opened;
}

net::Task<Relay::Opened> Relay::open_by_mx(Domain destination) {
    auto answer = co_await parts_.resolver->mx(destination.ascii());
    Route route = route_by_mx(destination, answer, parts_.settings->hostname.ascii(), shuffle);
    if (const auto* none = std::get_if<NoRoute>(&route)) {
        co_return RecipientVerdict{none->permanent ? Verdict::permanent : Verdict::transient, none->status,
                                   none->reason};
    }
    auto opened = co_await try_hosts(std::get<MxHosts>(std::move(route)));
    co_return opened;
}

// RFC 5321, 5.1: each host in turn, until one takes the connection and greets; a refusal by one MX does not
// speak for the others.
net::Task<Relay::Opened> Relay::try_hosts(MxHosts hosts) {
    RecipientVerdict last{Verdict::permanent, {5, 1, 2}, "no mail host of the domain has an address"};
    for (const std::string& host : hosts.names) {
        bool failed = false;
        auto addresses = co_await addresses_of(host, parts_.settings->relay.port, failed);
        if (addresses.empty()) {
            if (failed) last = {Verdict::transient, {4, 4, 3}, "DNS does not answer for " + host};
            continue;
        }
        ConnectionOptions options = options_for(host, std::move(addresses));
        auto opened = co_await Connection::open(std::move(options));
        if (opened) co_return opened;
        last = opened.error();
    }
    co_return last;
}

net::Task<Relay::Opened> Relay::open_literal(Domain literal) {
    const auto ip = net::parse_ip(literal.literal());
    if (!ip) co_return RecipientVerdict{Verdict::permanent, {5, 1, 2}, "not an address: " + literal.ascii()};
    ConnectionOptions options =
        options_for(std::string(literal.literal()), {net::SocketAddress{*ip, parts_.settings->relay.port}});
    auto opened = co_await Connection::open(std::move(options));
    co_return opened;
}

net::Task<Relay::Opened> Relay::open_smarthost(settings::Smarthost smarthost) {
    std::vector<net::SocketAddress> addresses;
    std::string host = smarthost.host.ascii();
    if (smarthost.host.is_literal()) {
        host = std::string(smarthost.host.literal());
        if (const auto ip = net::parse_ip(host)) addresses.push_back({*ip, smarthost.port});
    } else {
        bool failed = false;
        addresses = co_await addresses_of(host, smarthost.port, failed);
    }
    if (addresses.empty())
        co_return RecipientVerdict{
            Verdict::transient, {4, 4, 1}, "the smarthost " + host + " has no address"};

    const bool local = addresses.front().ip.is_loopback();
    ConnectionOptions options = options_for(host, std::move(addresses));
    const bool plain = smarthost.tls != settings::TlsMode::implicit && smarthost.user.empty() && local;
    options.client.tls = smarthost.tls == settings::TlsMode::implicit ? TlsUse::implicit
                         : plain                                      ? TlsUse::opportunistic
                                                                      : TlsUse::required;
    options.verify = plain ? net::Verify::opportunistic : net::Verify::name;
    if (!smarthost.user.empty()) {
        auto password = read_password(smarthost.password_file);
        if (!password) co_return RecipientVerdict{Verdict::transient, {4, 7, 0}, password.error().what};
        auto secret = std::make_shared<Secret>(*std::move(password));
        options.client.login = [user = smarthost.user, secret](const std::vector<std::string>& offered) {
            return sasl::start_client(offered, user, *secret, {});
        };
    }
    auto opened = co_await Connection::open(std::move(options));
    co_return opened;
}

// IPv6 and IPv4, in the order that RFC 6724 gives on a host with both; one family alone when the other has no
// address.
net::Task<std::vector<net::SocketAddress>> Relay::addresses_of(std::string host, std::uint16_t port,
                                                               bool& failed) {
    auto v6 = co_await parts_.resolver->aaaa(host);
    auto v4 = co_await parts_.resolver->a(host);
    failed = v6.failed() || v4.failed();
    std::vector<net::SocketAddress> addresses;
    for (const auto* answer : {&v6, &v4}) {
        for (const auto& ip : answer->records) {
            if (addresses.size() < kAddressesPerHost) addresses.push_back({dns::to_net(ip), port});
        }
    }
    co_return addresses;
}

ConnectionOptions Relay::options_for(std::string host, std::vector<net::SocketAddress> addresses) const {
    ConnectionOptions options;
    options.host = std::move(host);
    options.addresses = std::move(addresses);
    options.client.helo_name = parts_.settings->hostname.ascii();
    options.tls = parts_.tls;
    for (const std::string& source : parts_.settings->relay.source_addresses) {
        const auto ip = net::parse_ip(source);
        if (ip) (ip->is_v6() ? options.connect.source_v6 : options.connect.source_v4) = *ip;
    }
    return options;
}

}  // namespace mailstead::deliver
