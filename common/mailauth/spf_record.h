// One SPF record, read (RFC 7208, 4.5, 4.6.1, 5 and 12).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/dns/records.h"
#include "common/mailauth/spf.h"

namespace mailstead::mailauth {

enum class SpfMechanism : std::uint8_t { all, include, a, mx, ptr, ip4, ip6, exists };

// directive = [ qualifier ] mechanism
struct SpfTerm {
    SpfMechanism mechanism = SpfMechanism::all;
    SpfVerdict on_match = SpfVerdict::pass;  // by the qualifier
    std::string text;                        // as written
    std::string domain_spec;                 // with macros; empty: the domain of the record
    dns::IpNetwork network;                  // of ip4 and ip6
    unsigned prefix4 = 32;                   // of a and mx
    unsigned prefix6 = 128;
};

struct SpfRecord {
    std::vector<SpfTerm> terms;
    std::string redirect;     // domain-spec; empty: none
    std::string explanation;  // domain-spec of exp=; empty: none
};

// Whether a TXT record is an SPF record: `v=spf1`, then a space or the end.
bool is_spf_record(std::string_view text);

// record = version terms *SP. Any error of syntax anywhere makes the whole record a permerror (RFC
// 7208, 4.6).
Parsed<SpfRecord> parse_spf_record(std::string_view text);

}  // namespace mailstead::mailauth
