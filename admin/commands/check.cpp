// `mailstead check`: what a receiver would say of a message.
#include <unistd.h>

#include "admin/json.h"
#include "admin/mail_check.h"
#include "admin/output.h"
#include "admin/workspace.h"

namespace mailstead::admin {
namespace {

constexpr std::size_t kMaxMessage = std::size_t{256} * 1024 * 1024;

// --dns, else the configuration's servers, else /etc/resolv.conf.
Outcome<DnsChoice> choose_dns(const Arguments& arguments) {
    constexpr std::uint16_t kDnsPort = 53;
    if (arguments.has("--dns")) {
        auto endpoint = settings::Endpoint::parse(arguments.one("--dns"), kDnsPort);
        if (!endpoint) return Failure(EX_USAGE, "--dns is ADDRESS:PORT, such as 127.0.0.1:53");
        return DnsChoice{{*std::move(endpoint)}};
    }
    // Checking needs no installation; a file that was named must be good, though.
    auto settings = settings::load(arguments.settings_file);
    if (!settings && arguments.settings_file_chosen) return Failure(settings.error());
    return settings ? DnsChoice{settings->dns.servers} : DnsChoice{};
}

Outcome<std::string> read_message() {
    std::string message;
    std::string buffer(64 * 1024, '\0');
    while (true) {
        const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Failure(EX_IOERR, "the message could not be read from standard input");
        if (got == 0) break;
        message.append(buffer, 0, static_cast<std::size_t>(got));
        if (message.size() > kMaxMessage) return Failure(EX_DATAERR, "the message is larger than 256 MiB");
    }
    if (message.empty()) return Failure(EX_DATAERR, "there is no message on standard input");
    return message;
}

Outcome<mailauth::SpfInput> spf_input(const Arguments& arguments) {
    mailauth::SpfInput input;
    const auto ip = dns::IpAddress::parse(arguments.one("--ip"));
    if (!ip) return Failure(EX_USAGE, "--ip is the client's address, such as 192.0.2.1");
    input.client = *ip;
    input.helo = arguments.one("--helo");
    const std::string& sender = arguments.one("--mail-from");
    if (input.helo.empty() && (sender.empty() || sender == "<>"))
        return Failure(EX_USAGE, "--helo or --mail-from is needed");
    if (!sender.empty() && sender != "<>") {
        TRY(address, parse_address(sender));
        input.mail_from = std::move(address);
    }
    input.receiver = "localhost";
    input.now = now();
    return input;
}

void write(JsonWriter& json, const mailauth::SpfResult& spf) {
    json.object_begin()
        .member("result", to_string(spf.verdict))
        .member("reason", spf.reason)
        .member("domain", spf.domain)
        .member("identity", spf.identity == mailauth::SpfIdentity::helo ? "helo" : "mailfrom")
        .member("sender", spf.sender)
        .member("mechanism", spf.mechanism)
        .member("policy_domain", spf.policy_domain)
        .member("explanation", spf.explanation)
        .member("lookups", std::uint64_t{spf.lookups})
        .object_end();
}

void write_members(JsonWriter& json, const mailauth::DkimResult& dkim) {
    json.member("result", to_string(dkim.verdict))
        .member("reason", dkim.reason)
        .member("domain", dkim.domain)
        .member("selector", dkim.selector)
        .member("identity", dkim.identity)
        .member("algorithm", dkim.algorithm)
        .member("key_bits", std::uint64_t{dkim.key_bits})
        .member("testing", dkim.testing);
}

void write(JsonWriter& json, const std::vector<mailauth::DkimResult>& results) {
    json.array_begin();
    for (const mailauth::DkimResult& result : results) {
        json.object_begin();
        write_members(json, result);
        json.object_end();
    }
    json.array_end();
}

// One word for a message: a pass of any signature, else what the first came to.
const mailauth::DkimResult* best_of(const std::vector<mailauth::DkimResult>& results) {
    for (const mailauth::DkimResult& result : results) {
        if (result.verdict == mailauth::DkimVerdict::pass) return &result;
    }
    return results.empty() ? nullptr : &results.front();
}

std::string line(std::string_view method, std::string_view result, std::string_view domain,
                 std::string_view reason) {
    std::string out = std::string(method) + ": " + std::string(result);
    if (!domain.empty()) out += " (" + std::string(domain) + ')';
    if (!reason.empty()) out += ": " + std::string(reason);
    return out + '\n';
}

void print_dkim_lines(const std::vector<mailauth::DkimResult>& results) {
    if (results.empty()) print("dkim: none: the message has no signature\n");
    for (const mailauth::DkimResult& result : results) {
        print(line("dkim", to_string(result.verdict), result.selector + "._domainkey." + result.domain,
                   result.reason));
    }
}

Outcome<> run_spf(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(dns, choose_dns(arguments));
    TRY(input, spf_input(arguments));
    TRY(spf, check_spf(dns, std::move(input)));
    if (format == Format::table) {
        print(line("spf", to_string(spf.verdict), spf.domain, spf.reason));
        return {};
    }
    JsonWriter json;
    write(json, spf);
    print(json.text() + '\n');
    return {};
}

Outcome<> run_dkim(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(dns, choose_dns(arguments));
    TRY(message, read_message());
    TRY(results, check_dkim(dns, message));
    if (format == Format::table) {
        print_dkim_lines(results);
        return {};
    }
    JsonWriter json;
    json.object_begin();
    if (const mailauth::DkimResult* best = best_of(results)) {
        write_members(json, *best);
    } else {
        json.member("result", "none").member("reason", "the message has no signature");
    }
    write(json.key("signatures"), results);
    json.object_end();
    print(json.text() + '\n');
    return {};
}

Outcome<> run_dmarc(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(dns, choose_dns(arguments));
    TRY(input, spf_input(arguments));
    TRY(message, read_message());
    TRY(check, check_dmarc(dns, std::move(input), message));
    const mailauth::DmarcResult& dmarc = check.dmarc;
    if (format == Format::table) {
        print(line("dmarc", to_string(dmarc.verdict), dmarc.domain, dmarc.reason));
        if (!dmarc.policy_domain.empty()) {
            print("  policy: " + std::string(to_string(dmarc.published)) + " from " + dmarc.policy_domain +
                  "; to do: " + std::string(to_string(dmarc.apply)) + '\n');
        }
        print(line("spf", to_string(check.spf.verdict), check.spf.domain, check.spf.reason));
        print_dkim_lines(check.dkim);
        return {};
    }
    JsonWriter json;
    json.object_begin()
        .member("result", to_string(dmarc.verdict))
        .member("reason", dmarc.reason)
        .member("domain", dmarc.domain)
        .member("organizational_domain", dmarc.organizational_domain)
        .member("policy", to_string(dmarc.published))
        .member("policy_domain", dmarc.policy_domain)
        .member("disposition", to_string(dmarc.apply))
        .member("testing", dmarc.testing)
        .member("spf_aligned", dmarc.spf_aligned)
        .member("dkim_aligned", dmarc.dkim_aligned);
    write(json.key("spf"), check.spf);
    write(json.key("dkim"), check.dkim);
    json.object_end();
    print(json.text() + '\n');
    return {};
}

}  // namespace

CommandGroup check_commands() {
    const Parameter ip{"--ip", Takes::option, "The client's address"};
    const Parameter helo{"--helo", Takes::option, "What it said after EHLO"};
    const Parameter mail_from{"--mail-from", Takes::option,
                              "The sender's address of the envelope; <> for none"};
    const Parameter dns{"--dns", Takes::option, "The server to ask: ADDRESS:PORT"};
    return {"check",
            "What a receiver would say of a message",
            {{"check spf",
              "SPF: may this client send for this sender?",
              {ip, helo, mail_from, dns, kFormat},
              &run_spf,
              As::caller},
             {"check dkim",
              "DKIM: do the signatures of the message on standard input hold?",
              {dns, kFormat},
              &run_dkim,
              As::caller},
             {"check dmarc",
              "DMARC: does the author's domain stand behind the message on standard input?",
              {ip, helo, mail_from, dns, kFormat},
              &run_dmarc,
              As::caller}}};
}

}  // namespace mailstead::admin
