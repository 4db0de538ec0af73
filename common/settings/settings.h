// mailstead.toml as values: what rarely changes. Read once at start, never changed afterwards, safe to share
// between threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/domain.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace mailstead::settings {

// A numeric IPv4 or IPv6 address (without brackets) and a port.
struct Endpoint {
    std::string ip;
    std::uint16_t port = 0;

    // `192.0.2.1:25`, `[2001:db8::1]:25`
    static Parsed<Endpoint> parse(std::string_view text);
    // The port may be missing: `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`.
    static Parsed<Endpoint> parse(std::string_view text, std::uint16_t default_port);
    std::string to_string() const;
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

enum class Service { smtp, submission, imap, pop3, web };
enum class TlsMode { implicit, starttls, none };
std::string_view to_string(Service service);
std::string_view to_string(TlsMode mode);

struct Listener {
    Service service = Service::smtp;
    // `[::]` takes IPv4 as well.
    Endpoint address;
    TlsMode tls = TlsMode::starttls;
    // Capabilities (IMAP: `AUTH=LOGIN`, `IDLE`) or EHLO keywords (SMTP: `AUTH LOGIN`, `CHUNKING`) that this
    // listener does not offer; upper case.
    std::vector<std::string> hidden_capabilities;
    friend bool operator==(const Listener&, const Listener&) = default;
};

// PEM files; the certificate's file holds the chain.
struct CertificatePaths {
    std::filesystem::path certificate;
    std::filesystem::path key;
    friend bool operator==(const CertificatePaths&, const CertificatePaths&) = default;
};

struct Tls {
    // The first serves clients without SNI and those that name no known host. Empty when no certificate is
    // configured.
    std::vector<CertificatePaths> certificates;
    bool session_tickets = true;
    friend bool operator==(const Tls&, const Tls&) = default;
};

struct Dns {
    // Empty: /etc/resolv.conf.
    std::vector<Endpoint> servers;
    // Whether the answers' AD bit may be believed (a validating resolver on this machine): without it there
    // is no DANE.
    bool trusted = false;
    friend bool operator==(const Dns&, const Dns&) = default;
};

// A server that takes mail on for us.
struct Smarthost {
    // smtps: TLS from the start. smtp: STARTTLS is demanded as soon as there is a user, or the host is not
    // this machine. A numeric host is held as an address literal (`Domain::literal()`).
    TlsMode tls = TlsMode::implicit;
    Domain host;
    std::uint16_t port = 465;
    // Empty: no AUTH. The password is read from the file's first line.
    std::string user;
    std::filesystem::path password_file;

    // `smtps://user@host:465`, `smtp://host:587`; the user may be percent-encoded and contain "@". The
    // default ports are 465 and 587.
    static Parsed<Smarthost> parse(std::string_view url);
    friend bool operator==(const Smarthost&, const Smarthost&) = default;
};

// Mail for one domain, or for it and all below it when written `.example.org`, that goes elsewhere than its
// MX.
struct Route {
    Domain domain;
    bool with_subdomains = false;
    // nullopt: by MX although a general smarthost is set.
    std::optional<Smarthost> smarthost;
    friend bool operator==(const Route&, const Route&) = default;
};

struct Relay {
    // The port dialled on an MX.
    std::uint16_t port = 25;
    std::optional<Smarthost> smarthost;
    std::vector<Route> routes;
    // Extra roots for MX, MTA-STS and smarthost certificates; empty for none.
    std::filesystem::path ca_file;
    // Local addresses to send from, at most one of each family; empty: the system's choice.
    std::vector<std::string> source_addresses;
    // How long a message is tried, and when its sender first hears that it is late.
    Seconds retry_lifetime{};
    Seconds delay_notice{};
    // Connections outward in all, and to one destination.
    std::uint32_t connections = 0;
    std::uint32_t connections_per_destination = 0;

    // Where mail for `domain` goes: the most exact route, else the general smarthost; nullopt: its MX.
    const std::optional<Smarthost>& smarthost_for(const Domain& to) const;
    friend bool operator==(const Relay&, const Relay&) = default;
};

struct Limits {
    // Bytes of one message, SMTP and APPEND.
    std::uint64_t message_size = 0;
    // Recipients of one message.
    std::uint32_t recipients = 0;
    // Open connections of one daemon, of one client address, and logged-in IMAP sessions of one account.
    std::uint32_t connections = 0;
    std::uint32_t connections_per_address = 0;
    std::uint32_t sessions_per_account = 0;
    // Bytes that one daemon spends on message bodies and command buffers before it spills to disk or answers
    // "later".
    std::uint64_t memory = 0;
    // Recipients that one account may address in an hour by submission.
    std::uint32_t recipients_per_hour = 0;
    // Messages in the outbound queue.
    std::uint32_t queue_messages = 0;
    // Bytes that stay free on the data folder's disk: below, mail is answered with "later".
    std::uint64_t free_space = 0;
    // How long expunged messages are kept. Zero: not at all.
    Seconds keep_deleted{0};
    friend bool operator==(const Limits&, const Limits&) = default;
};

struct Smtp {
    // Obey a sender domain's DMARC policy (refuse on p=reject, junk on p=quarantine); otherwise only report
    // the verdict.
    bool enforce_dmarc = true;
    // EHLO keywords that no client is offered; upper case.
    std::vector<std::string> hidden_capabilities;
    friend bool operator==(const Smtp&, const Smtp&) = default;
};

struct Imap {
    // Capabilities that no client is offered; upper case. An account's own list is in the directory.
    std::vector<std::string> hidden_capabilities;
    // Whether words are indexed, and the index is asked.
    bool fulltext = true;
    // RFC 9738: messages that one command works on, and, where that is 0, that one COPY or APPEND stores; 0:
    // any number.
    std::uint32_t message_limit = 0;
    std::uint32_t save_limit = 0;
    friend bool operator==(const Imap&, const Imap&) = default;
};

// Logins with tokens of an OAuth issuer (RFC 7628), which is asked about each (RFC 7662).
struct OAuth {
    // https; empty: no logins with tokens.
    std::string introspection_url;
    // How deliver shows the issuer who asks; empty: it does not.
    std::string client_id;
    std::filesystem::path client_secret_file;
    // What a token must say of itself; empty: anything. `scope` may name several, separated by spaces.
    std::string issuer;
    std::string audience;
    std::string scope;
    // The claim that names the account; empty: the first of `username`, `email`, `sub` that is there.
    std::string account_claim;
    // Told to clients whose token was refused; empty: nothing.
    std::string discovery_url;
    // Extra roots for the issuer's certificate; empty for none.
    std::filesystem::path ca_file;

    bool is_configured() const { return !introspection_url.empty(); }
    friend bool operator==(const OAuth&, const OAuth&) = default;
};

enum class LogLevel { debug, info, warning, error };

struct Log {
    LogLevel level = LogLevel::info;
    // Empty: standard error (systemd's journal, or the terminal of `serve`).
    std::filesystem::path file;
    friend bool operator==(const Log&, const Log&) = default;
};

// All paths are absolute: relative ones in the file count from the file's folder.
struct Settings {
    // The name in greetings, HELO, Received and Message-ID; certificates are made for it.
    Domain hostname = Domain::parse("localhost").value();
    std::filesystem::path data_dir;
    // The users that daemons become when started as root. `user` is deliver's, who owns the data; empty: all
    // stay who they are. The others empty: that name with -imapd, -smtpd.
    std::string user;
    std::string imapd_user;
    std::string smtpd_user;
    // Threads of one daemon; 0: one per core.
    std::uint32_t workers = 0;
    std::vector<Listener> listeners;
    Tls tls;
    Dns dns;
    Relay relay;
    Limits limits;
    Smtp smtp;
    Imap imap;
    OAuth oauth;
    Log log;

    // Those of any of the services, in the file's order.
    std::vector<Listener> listeners_of(std::initializer_list<Service> services) const;
    std::vector<Listener> listeners_of(Service service) const { return listeners_of({service}); }
    friend bool operator==(const Settings&, const Settings&) = default;
};

// One thing wrong with the file. `key` is the full name (`listener[2].address`), empty for a syntax error.
struct Problem {
    std::string file;
    std::uint32_t line = 0;
    std::string key;
    std::string what;

    // `mailstead.toml:12: relay.port: a number from 1 to 65535 is expected, not "smtp"`
    std::string to_string() const;
};
struct Problems {
    std::vector<Problem> list;
    // One problem a line.
    std::string to_string() const;
};
[[noreturn]] void throw_exception_from_error(const Problems& problems, const boost::source_location& where);

constexpr std::string_view kDefaultFile = "/etc/mailstead/mailstead.toml";

// Reads and checks all of `file`; reports every problem, not only the first. Does not look at the files it
// names, but for links on the way to the data folder, which are resolved.
Result<Settings, Problems> load(const std::filesystem::path& file);
// The same from text; `file` names it in problems and gives the folder that relative paths count from.
Result<Settings, Problems> parse(std::string_view toml, const std::filesystem::path& file);

// What load() cannot know from the text alone: certificates, key and password files readable, data folder
// there, user known, listeners not twice on one port.
std::vector<Problem> check_surroundings(const Settings& settings, const std::filesystem::path& file);

// A reference file: every key with its meaning, bounds and default. It parses to the defaults.
std::string describe();

}  // namespace mailstead::settings
