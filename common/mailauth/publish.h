// The DNS records that a domain should have, from facts about it. One list feeds printing, checking and
// fixing. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/domain.h"
#include "common/base/clock.h"
#include "common/dns/records.h"

namespace mailstead::mailauth {

enum class MtaStsMode : std::uint8_t { testing, enforce };
std::string_view to_string(MtaStsMode mode);

// Ports that clients should find; 0: not offered.
struct ClientPorts {
    std::uint16_t submissions = 465;
    std::uint16_t submission = 0;
    std::uint16_t imaps = 993;
    std::uint16_t imap = 0;
    std::uint16_t pop3s = 0;
    std::uint16_t pop3 = 0;
};

struct DomainFacts {
    std::string domain;                     // A-labels, as all names here
    std::string hostname;                   // of this server: MX, EHLO, certificate
    std::vector<dns::IpAddress> addresses;  // public ones of the host
    struct Key {
        std::string selector;
        std::string record;  // DkimKey::public_record()
    };
    std::vector<Key> keys;
    ClientPorts ports;
    struct MtaSts {
        MtaStsMode mode = MtaStsMode::testing;
        std::string id;  // 1*32(ALPHA / DIGIT), changes with the policy (RFC 8461, 3.1)
    };
    std::optional<MtaSts> mta_sts;  // nullopt: none wanted
    std::string report_address;     // for DMARC and TLS reports; empty: none asked for
    // A web listener of ours answers for the MTA-STS policy and for autoconfig; otherwise the records say
    // what another web server would have to answer.
    bool serves_web = false;
    std::vector<dns::Tlsa> tlsa;  // of the MX on port 25, if the zone of the host is signed
};

enum class Severity : std::uint8_t { required, recommended, optional };
std::string_view to_string(Severity severity);

enum class RecordPurpose : std::uint8_t {
    mx,
    address,
    spf,
    helo_spf,
    dkim,
    dmarc,
    mta_sts,
    mta_sts_host,
    tls_report,
    client_service,
    autoconfig,
    tlsa
};
std::string_view to_string(RecordPurpose purpose);

struct PublishedRecord {
    std::string name;  // without a final dot
    dns::RecordType type = dns::RecordType::txt;
    dns::Record value;
    Seconds ttl{3600};
    Severity severity = Severity::required;
    RecordPurpose purpose = RecordPurpose::mx;
    std::string why;  // one line
};

// In the order in which people should enter them: required first within each name's subject.
std::vector<PublishedRecord> records_to_publish(const DomainFacts& facts);

// The value as a panel takes it in one field: `10 mail.example.org`, a TXT whole and without quotes.
std::string value_text(const dns::Record& value);
// The value as a zone file has it: names with a final dot, TXT in quotes, cut into strings of at most 255
// bytes (RFC 1035, 3.3.14).
std::string zone_value(const dns::Record& value);

// For a terminal: name, type, value and why; a TXT of more than 255 bytes whole in one line and again split.
std::string render_table(const std::vector<PublishedRecord>& records);
// Lines for a zone file with comments.
std::string render_zone(const std::vector<PublishedRecord>& records);
// {"records":[{"name","type","ttl","value","zone_value","severity","purpose","why"}...]}
std::string render_json(const std::vector<PublishedRecord>& records);

}  // namespace mailstead::mailauth
