#include "common/mailauth/publish.h"

#include <algorithm>

namespace mailstead::mailauth {
namespace {

constexpr Seconds kTtl{3600};
constexpr std::uint16_t kHttps = 443;

class Builder {
public:
    explicit Builder(const DomainFacts& facts) : facts_(facts) {}

    std::vector<PublishedRecord> build() {
        add_mx_and_addresses();
        add_spf();
        add_dkim();
        add_dmarc();
        add_tls_policies();
        add_client_services();
        add_autoconfig();
        return std::move(records_);
    }

private:
    void add(std::string name, dns::RecordType type, dns::Record value, Severity severity,
             RecordPurpose purpose, std::string why) {
        records_.push_back(
            {std::move(name), type, std::move(value), kTtl, severity, purpose, std::move(why)});
    }
    void add_text(std::string name, std::string text, Severity severity, RecordPurpose purpose,
                  std::string why) {
        add(std::move(name), dns::RecordType::txt, dns::Txt{std::move(text)}, severity, purpose,
            std::move(why));
    }
    // A name for another service of this host. A CNAME follows the host when its address changes.
    void add_alias(const std::string& name, Severity severity, RecordPurpose purpose, std::string why) {
        if (name == facts_.hostname) return;
        add(name, dns::RecordType::cname, dns::Target{facts_.hostname}, severity, purpose, std::move(why));
    }

    void add_mx_and_addresses() {
        add(facts_.domain, dns::RecordType::mx, dns::Mx{10, facts_.hostname}, Severity::required,
            RecordPurpose::mx, "tells other servers where mail for the domain goes");
        for (const dns::IpAddress& address : facts_.addresses) {
            add(facts_.hostname, address.is_v4() ? dns::RecordType::a : dns::RecordType::aaaa, address,
                Severity::required, RecordPurpose::address,
                "the address of this server; its reverse name must lead back to it");
        }
    }

    // RFC 7208, 3.2: one record a name, so one record serves both purposes when the host is called like the
    // domain.
    void add_spf() {
        if (facts_.hostname == facts_.domain) {
            add_text(facts_.domain, "v=spf1 mx a -all", Severity::required, RecordPurpose::spf,
                     "lets this server, and no other, send for the domain");
            return;
        }
        add_text(facts_.domain, "v=spf1 mx -all", Severity::required, RecordPurpose::spf,
                 "lets the MX of the domain, and no other, send for it");
        add_text(facts_.hostname, "v=spf1 a -all", Severity::recommended, RecordPurpose::helo_spf,
                 "for reports and bounces, which carry no sender but the name in EHLO (RFC 7208, 2.3)");
    }

    void add_dkim() {
        bool first = true;
        for (const DomainFacts::Key& key : facts_.keys) {
            add_text(key.selector + "._domainkey." + facts_.domain, key.record,
                     first ? Severity::required : Severity::recommended, RecordPurpose::dkim,
                     "the key with which receivers verify signatures of the domain");
            first = false;
        }
    }

    // RFC 9989, 4.7; no pct=, which it removed.
    void add_dmarc() {
        std::string policy = "v=DMARC1; p=reject";
        if (!facts_.report_address.empty()) policy += "; rua=mailto:" + facts_.report_address;
        add_text("_dmarc." + facts_.domain, std::move(policy), Severity::required, RecordPurpose::dmarc,
                 "asks receivers to refuse mail in the name of the domain that fails both SPF and DKIM");
        const std::string elsewhere = report_domain();
        // RFC 9990, 4: who takes reports for another domain says so.
        if (!elsewhere.empty() && elsewhere != facts_.domain) {
            add_text(facts_.domain + "._report._dmarc." + elsewhere, "v=DMARC1", Severity::recommended,
                     RecordPurpose::dmarc,
                     "lets reports about " + facts_.domain + " go to an address of " + elsewhere);
        }
    }

    std::string report_domain() const {
        const std::size_t at = facts_.report_address.rfind('@');
        return at == std::string::npos ? std::string() : facts_.report_address.substr(at + 1);
    }

    void add_tls_policies() {
        if (facts_.mta_sts) add_mta_sts(*facts_.mta_sts);
        if (!facts_.report_address.empty()) {
            add_text("_smtp._tls." + facts_.domain, "v=TLSRPTv1; rua=mailto:" + facts_.report_address,
                     Severity::recommended, RecordPurpose::tls_report,
                     "asks senders to report when TLS to this server fails (RFC 8460)");
        }
        for (const dns::Tlsa& tlsa : facts_.tlsa) {
            add("_25._tcp." + facts_.hostname, dns::RecordType::tlsa, tlsa, Severity::recommended,
                RecordPurpose::tlsa,
                "pins the key of this server for senders with DANE (RFC 7672); only in a signed zone");
        }
    }

    // RFC 8461, 3: the record says that there is a policy, which senders then fetch by HTTPS.
    void add_mta_sts(const DomainFacts::MtaSts& policy) {
        const Severity severity = facts_.serves_web ? Severity::recommended : Severity::optional;
        const std::string host = "mta-sts." + facts_.domain;
        add_text("_mta-sts." + facts_.domain, "v=STSv1; id=" + policy.id + ";", severity,
                 RecordPurpose::mta_sts,
                 facts_.serves_web
                     ? "tells senders that a policy demands TLS (RFC 8461)"
                     : "tells senders that a policy demands TLS; only once a web server answers for " + host);
        add_alias(host, severity, RecordPurpose::mta_sts_host,
                  facts_.serves_web ? "where senders fetch that policy by HTTPS"
                                    : "there /.well-known/mta-sts.txt says: version: STSv1, mode: " +
                                          std::string(to_string(policy.mode)) + ", mx: " + facts_.hostname +
                                          ", max_age: 604800, each on a line");
    }

    // RFC 6186, 3.4 and RFC 8314, 5.1: "." says that a service is not there, so that clients need not try.
    void add_client_services() {
        const ClientPorts& ports = facts_.ports;
        add_service("_submissions", ports.submissions, "sending with TLS from the start");
        add_service("_submission", ports.submission, "sending with STARTTLS");
        add_service("_imaps", ports.imaps, "reading with TLS from the start");
        add_service("_imap", ports.imap, "reading with STARTTLS");
        add_service("_pop3s", ports.pop3s, "fetching by POP3 with TLS from the start");
        add_service("_pop3", ports.pop3, "fetching by POP3 with STARTTLS");
    }

    void add_service(const std::string& service, std::uint16_t port, const std::string& what) {
        dns::Srv srv;
        if (port != 0) srv = {0, 1, port, facts_.hostname};
        add(service + "._tcp." + facts_.domain, dns::RecordType::srv, srv, Severity::optional,
            RecordPurpose::client_service,
            port != 0 ? "lets mail programs find " + what
                      : "tells mail programs that " + what + " is not offered");
    }

    void add_autoconfig() {
        const std::string condition =
            facts_.serves_web ? "" : "; only with a web server that answers with them";
        add_alias("autoconfig." + facts_.domain, Severity::optional, RecordPurpose::autoconfig,
                  "where Thunderbird and others ask for their settings" + condition);
        add_alias("autodiscover." + facts_.domain, Severity::optional, RecordPurpose::autoconfig,
                  "where Outlook and others ask for their settings" + condition);
        if (!facts_.serves_web) return;
        add("_autodiscover._tcp." + facts_.domain, dns::RecordType::srv,
            dns::Srv{0, 1, kHttps, facts_.hostname}, Severity::optional, RecordPurpose::autoconfig,
            "the same for programs that look for the service");
    }

    const DomainFacts& facts_;
    std::vector<PublishedRecord> records_;
};

}  // namespace

std::string_view to_string(MtaStsMode mode) {
    return mode == MtaStsMode::enforce ? "enforce" : "testing";
}

std::string_view to_string(Severity severity) {
    switch (severity) {
        case Severity::required:
            return "required";
        case Severity::recommended:
            return "recommended";
        case Severity::optional:
            return "optional";
    }
    return "optional";
}

std::string_view to_string(RecordPurpose purpose) {
    switch (purpose) {
        case RecordPurpose::mx:
            return "mx";
        case RecordPurpose::address:
            return "address";
        case RecordPurpose::spf:
            return "spf";
        case RecordPurpose::helo_spf:
            return "helo-spf";
        case RecordPurpose::dkim:
            return "dkim";
        case RecordPurpose::dmarc:
            return "dmarc";
        case RecordPurpose::mta_sts:
            return "mta-sts";
        case RecordPurpose::mta_sts_host:
            return "mta-sts-host";
        case RecordPurpose::tls_report:
            return "tls-report";
        case RecordPurpose::client_service:
            return "client-service";
        case RecordPurpose::autoconfig:
            return "autoconfig";
        case RecordPurpose::tlsa:
            return "tlsa";
    }
    return "";
}

std::vector<PublishedRecord> records_to_publish(const DomainFacts& facts) {
    return Builder(facts).build();
}

}  // namespace mailstead::mailauth
