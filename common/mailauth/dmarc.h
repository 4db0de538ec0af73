// DMARC (RFC 9989): does an authenticated domain stand behind the author, and what does the author's domain
// ask for if not? Pure: asks for lookups as values (inquiry.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/domain.h"
#include "common/base/result.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/inquiry.h"
#include "common/mailauth/spf.h"

namespace mailstead::mailauth {

enum class DmarcVerdict : std::uint8_t {
    none,  // no policy record: DMARC does not apply
    pass,
    fail,
    temperror,  // the DNS did not answer
    permerror,  // no author domain, too many, or an author that cannot be read: asks for quarantine
};
std::string_view to_string(DmarcVerdict verdict);

// In order of strictness.
enum class DmarcPolicy : std::uint8_t { none, quarantine, reject };
std::string_view to_string(DmarcPolicy policy);

enum class Alignment : std::uint8_t { relaxed, strict };
enum class PublicSuffix : std::uint8_t { unknown, yes, no };

// RFC 9989, 4.7
struct DmarcRecord {
    DmarcPolicy policy = DmarcPolicy::none;              // p=
    std::optional<DmarcPolicy> subdomain_policy;         // sp=
    std::optional<DmarcPolicy> nonexistent_policy;       // np=
    Alignment dkim = Alignment::relaxed;                 // adkim=
    Alignment spf = Alignment::relaxed;                  // aspf=
    PublicSuffix public_suffix = PublicSuffix::unknown;  // psd=
    bool testing = false;                                // t=y
    std::vector<std::string> aggregate_reports;          // rua=, as written
    std::vector<std::string> failure_reports;            // ruf=
    std::string failure_options = "0";                   // fo=
};
// dmarc-record = dmarc-version *(dmarc-sep dmarc-tag) [dmarc-sep]
// Fails only where the record must be ignored as a whole: `v=DMARC1` is not first, or p=, sp= or np= has an
// unknown value and no rua= is there (with rua= such a record counts as p=none). Unknown tags and values of
// other tags are skipped (RFC 9989, 4.7, 4.10.1).
Parsed<DmarcRecord> parse_dmarc_record(std::string_view text);
// Whether a TXT record is meant as a DMARC record at all: begins with `v=DMARC1`, the end or a ";" following.
bool is_dmarc_record(std::string_view text);

// The names of the tree walk from `domain`, itself first, at most eight (RFC 9989, 4.10), without `_dmarc.`.
std::vector<std::string> tree_walk(std::string_view domain);

// Who the From fields say wrote the message.
struct Authors {
    std::vector<Domain> domains;  // distinct, in order
    bool complete =
        true;  // false: an author was there whose domain could not be read, or a second From field
};
// From the values (without `From:`) of all From fields of a message.
Authors read_authors(std::span<const std::string_view> from_values);

struct DmarcInput {
    Authors authors;
    SpfVerdict spf = SpfVerdict::none;
    std::string spf_domain;                 // SpfResult::domain
    std::vector<std::string> dkim_domains;  // d= of the signatures that passed
    // Where a DNS failure kept SPF or DKIM from a verdict: if such a domain may have been aligned, a fail
    // becomes a temperror, since refusing for good what the next try would let through loses mail.
    std::vector<std::string> unsettled_domains;

    static DmarcInput of(Authors authors, const SpfResult& spf, std::span<const DkimResult> dkim);
};

struct DmarcResult {
    DmarcVerdict verdict = DmarcVerdict::none;
    DmarcPolicy published = DmarcPolicy::none;  // what the record asks for this author domain
    DmarcPolicy apply =
        DmarcPolicy::none;     // what to do with the message: none on a pass; one step less with t=y
    bool testing = false;      // t=y
    bool spf_aligned = false;  // of a pass: one of the two may be left unlooked at where the other was enough
    bool dkim_aligned = false;
    std::string domain;                 // the author domain that decided
    std::string organizational_domain;  // of it; empty when it was not needed
    std::string policy_domain;          // where the record was found; empty: none
    std::string reason;                 // one line for people
    std::optional<DmarcRecord> record;
};

// With several author domains each is checked and the worst counts (RFC 9989, 5.3.1); more than three are a
// permerror. Rounds: one in the usual case (the author domain has a record and was
// authenticated itself); at most four for each author domain.
class DmarcEvaluation {
public:
    explicit DmarcEvaluation(const DmarcInput& input);
    ~DmarcEvaluation();
    DmarcEvaluation(DmarcEvaluation&&) noexcept;
    DmarcEvaluation& operator=(DmarcEvaluation&&) noexcept;

    const Questions& questions() const;
    void answer(Answers answers);
    // Final when there are no more questions; temperror until then.
    const DmarcResult& result() const;

private:
    class Machine;
    std::unique_ptr<Machine> machine_;
};

}  // namespace mailstead::mailauth
