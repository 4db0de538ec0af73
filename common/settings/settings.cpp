#include "common/settings/settings.h"

#include <algorithm>
#include <arpa/inet.h>
#include <stdexcept>

#include <boost/throw_exception.hpp>

#include "common/base/percent.h"
#include "common/base/text.h"

namespace mailstead::settings {
namespace {

// The address in its usual spelling; nullopt when it is none.
std::optional<std::string> canonical_ip(std::string_view text) {
    const std::string ip(text);
    unsigned char raw[sizeof(in6_addr)];
    char out[INET6_ADDRSTRLEN];
    for (const int family : {AF_INET, AF_INET6}) {
        if (inet_pton(family, ip.c_str(), raw) == 1) return inet_ntop(family, raw, out, sizeof out);
    }
    return std::nullopt;
}

struct HostAndPort {
    std::string_view host;
    std::string_view port;  // empty: none given
};

// host [":" port]; an IPv6 address with a port stands in brackets.
Parsed<HostAndPort> split_port(std::string_view text) {
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return ParseError{"\"[\" without \"]\"", 0};
        const std::string_view host = text.substr(1, end - 1);
        const std::string_view rest = text.substr(end + 1);
        if (rest.empty()) return HostAndPort{host, {}};
        if (rest.size() < 2 || rest.front() != ':')
            return ParseError{"\":port\" is expected after \"]\"", end + 1};
        return HostAndPort{host, rest.substr(1)};
    }
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
        return HostAndPort{text, {}};
    if (colon + 1 == text.size()) return ParseError{"no port after \":\"", colon};
    return HostAndPort{text.substr(0, colon), text.substr(colon + 1)};
}

Parsed<std::uint16_t> parse_port(std::string_view digits) {
    const auto port = text::parse_number<std::uint16_t>(digits);
    if (!port || *port == 0) return ParseError{"the port is not a number from 1 to 65535", 0};
    return *port;
}

Parsed<Domain> parse_smarthost_name(std::string_view host) {
    const auto ip = canonical_ip(host);
    if (!ip) return Domain::parse(host);
    return Domain::parse(ip->find(':') == std::string::npos ? '[' + *ip + ']' : "[IPv6:" + *ip + ']');
}

}  // namespace

Parsed<Endpoint> Endpoint::parse(std::string_view text) {
    TRY(parts, split_port(text));
    if (parts.port.empty()) return ParseError{"no port", text.size()};
    return parse(text, 0);
}

Parsed<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
    TRY(parts, split_port(text));
    auto ip = canonical_ip(parts.host);
    if (!ip) return ParseError{"not an IP address", 0};
    if (parts.port.empty()) return Endpoint{*std::move(ip), default_port};
    TRY(port, parse_port(parts.port));
    return Endpoint{*std::move(ip), port};
}

std::string Endpoint::to_string() const {
    const bool is_v6 = ip.find(':') != std::string::npos;
    return (is_v6 ? '[' + ip + ']' : ip) + ':' + std::to_string(port);
}

std::string_view to_string(Service service) {
    switch (service) {
        case Service::smtp:
            return "smtp";
        case Service::submission:
            return "submission";
        case Service::imap:
            return "imap";
        case Service::pop3:
            return "pop3";
        case Service::web:
            return "web";
    }
    return {};
}

std::string_view to_string(TlsMode mode) {
    switch (mode) {
        case TlsMode::implicit:
            return "implicit";
        case TlsMode::starttls:
            return "starttls";
        case TlsMode::none:
            return "none";
    }
    return {};
}

// url = ( "smtps" / "smtp" ) "://" [ user "@" ] host [ ":" port ] [ "/" ]
Parsed<Smarthost> Smarthost::parse(std::string_view url) {
    constexpr std::string_view kImplicit = "smtps://";
    constexpr std::string_view kStarttls = "smtp://";
    const bool implicit = url.starts_with(kImplicit);
    if (!implicit && !url.starts_with(kStarttls))
        return ParseError{"it must start with smtps:// or smtp://", 0};
    std::string_view rest = url.substr(implicit ? kImplicit.size() : kStarttls.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    std::string user;
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
        if (rest.substr(0, at).find(':') != std::string_view::npos) {
            return ParseError{"a password does not belong here, but into smarthost_password_file", 0};
        }
        TRY(decoded, percent_decode(rest.substr(0, at)));
        user = std::move(decoded);
        rest.remove_prefix(at + 1);
    }
    TRY(parts, split_port(rest));
    TRY(host, parse_smarthost_name(parts.host));
    std::uint16_t port = implicit ? 465 : 587;
    if (!parts.port.empty()) {
        TRY(given, parse_port(parts.port));
        port = given;
    }
    return Smarthost{
        implicit ? TlsMode::implicit : TlsMode::starttls, std::move(host), port, std::move(user), {}};
}

const std::optional<Smarthost>& Relay::smarthost_for(const Domain& to) const {
    const Route* best = nullptr;
    for (const Route& route : routes) {
        const bool covers = route.with_subdomains ? to.is_within(route.domain) : to == route.domain;
        // The longer name is the more exact one, since both cover `to`; an exact row beats one with
        // subdomains.
        const bool better = best == nullptr || route.domain.ascii().size() > best->domain.ascii().size() ||
                            (route.domain == best->domain && best->with_subdomains);
        if (covers && better) best = &route;
    }
    return best == nullptr ? smarthost : best->smarthost;
}

std::vector<Listener> Settings::listeners_of(std::initializer_list<Service> services) const {
    std::vector<Listener> out;
    for (const Listener& listener : listeners) {
        if (std::ranges::find(services, listener.service) != services.end()) out.push_back(listener);
    }
    return out;
}

std::string Problem::to_string() const {
    std::string out = file;
    if (line != 0) out += ':' + std::to_string(line);
    if (!key.empty()) out += ": " + key;
    return out + ": " + what;
}

std::string Problems::to_string() const {
    std::string out;
    for (const Problem& problem : list) out += problem.to_string() + '\n';
    return out;
}

void throw_exception_from_error(const Problems& problems, const boost::source_location& where) {
    boost::throw_exception(std::logic_error("unchecked Problems: " + problems.to_string()), where);
}

}  // namespace mailstead::settings
