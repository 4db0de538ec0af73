#include "admin/dns_facts.h"

#include <algorithm>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <memory>
#include <net/if.h>

#include <boost/crc.hpp>

#include "common/mailauth/dkim_key.h"

namespace mailstead::admin {
namespace {

std::optional<dns::IpAddress> address_of(const sockaddr* address) {
    if (address == nullptr) return std::nullopt;
    char text[INET6_ADDRSTRLEN];
    const void* bytes = nullptr;
    if (address->sa_family == AF_INET) bytes = &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
    if (address->sa_family == AF_INET6) bytes = &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (bytes == nullptr || inet_ntop(address->sa_family, bytes, text, sizeof text) == nullptr)
        return std::nullopt;
    return dns::IpAddress::parse(text);
}

// This machine's addresses that the internet can reach. Behind NAT there are none: then the administrator
// knows better.
std::vector<dns::IpAddress> public_addresses() {
    std::vector<dns::IpAddress> out;
    ifaddrs* raw = nullptr;
    if (::getifaddrs(&raw) != 0) return out;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> interfaces(raw, &::freeifaddrs);
    for (const ifaddrs* entry = raw; entry != nullptr; entry = entry->ifa_next) {
        const auto address = address_of(entry->ifa_addr);
        if (!address || address->is_private() || (entry->ifa_flags & IFF_UP) == 0) continue;
        if (std::find(out.begin(), out.end(), *address) == out.end()) out.push_back(*address);
    }
    return out;
}

// An installation for trying things out takes mail on loopback alone; the machine's own addresses are not
// its.
bool serves_the_internet(const settings::Settings& settings) {
    const auto reachable = [](const settings::Listener& listener) {
        const auto ip = dns::IpAddress::parse(listener.address.ip);
        return listener.service == settings::Service::smtp && ip && !ip->is_loopback();
    };
    return std::any_of(settings.listeners.begin(), settings.listeners.end(), reachable);
}

mailauth::ClientPorts ports_of(const settings::Settings& settings) {
    mailauth::ClientPorts ports{0, 0, 0, 0, 0, 0};
    for (const settings::Listener& listener : settings.listeners) {
        const bool implicit = listener.tls == settings::TlsMode::implicit;
        std::uint16_t* port = nullptr;
        if (listener.service == settings::Service::submission)
            port = implicit ? &ports.submissions : &ports.submission;
        if (listener.service == settings::Service::imap) port = implicit ? &ports.imaps : &ports.imap;
        if (listener.service == settings::Service::pop3) port = implicit ? &ports.pop3s : &ports.pop3;
        if (port != nullptr && *port == 0) *port = listener.address.port;
    }
    return ports;
}

std::string today() {
    return to_rfc3339(now()).substr(0, 4) + to_rfc3339(now()).substr(5, 2) + to_rfc3339(now()).substr(8, 2);
}

// Another id when the policy is another one (RFC 8461, 3.1): it names nothing but the MX.
std::string policy_id(std::string_view hostname) {
    boost::crc_32_type sum;
    sum.process_bytes(hostname.data(), hostname.size());
    return std::to_string(sum.checksum());
}

}  // namespace

Outcome<std::vector<mailauth::PublishedRecord>> records_of(const settings::Settings& settings,
                                                           const directory::Credentials& credentials,
                                                           const Domain& domain) {
    mailauth::DomainFacts facts;
    facts.domain = domain.ascii();
    facts.hostname = settings.hostname.ascii();
    if (serves_the_internet(settings)) facts.addresses = public_addresses();
    facts.ports = ports_of(settings);
    facts.report_address = "postmaster@" + domain.ascii();
    facts.mta_sts = {mailauth::MtaStsMode::testing, policy_id(facts.hostname)};
    TRY(keys, credentials.dkim_keys(domain));
    for (const directory::DkimKey& key : keys) {
        TRY(parsed, mailauth::DkimKey::from_pem(key.private_pem));
        facts.keys.push_back({key.selector, parsed.public_record()});
    }
    return mailauth::records_to_publish(facts);
}

Outcome<directory::DkimKey> make_dkim_key(const directory::Credentials& credentials, const Domain& domain,
                                          directory::DkimState state) {
    TRY(known, credentials.dkim_keys(domain));
    std::string selector = "m" + today();
    const auto is_taken = [&] {
        return std::any_of(known.begin(), known.end(),
                           [&](const directory::DkimKey& key) { return key.selector == selector; });
    };
    for (char letter = 'b'; is_taken(); ++letter) {
        if (letter > 'z')
            return Failure(EX_DATAERR, "there are too many DKIM keys of today already: try again tomorrow");
        selector = "m" + today() + letter;
    }
    TRY(key, mailauth::DkimKey::generate(mailauth::DkimAlgorithm::rsa_sha256));
    return directory::DkimKey{domain, selector, directory::DkimAlgorithm::rsa_sha256,
                              state,  now(),    key.to_pem()};
}

}  // namespace mailstead::admin
