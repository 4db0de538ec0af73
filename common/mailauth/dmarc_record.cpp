#include <algorithm>

#include "common/base/text.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/tag_list.h"
#include "common/mime/address_list.h"

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kMaxRecord = 16 * 1024;
constexpr std::size_t kMaxUris = 16;
constexpr std::size_t kMaxWalk = 8;      // RFC 9989, 4.10
constexpr std::size_t kMaxAuthors = 64;  // read; far more than are evaluated

struct TagView {
    std::string_view name;
    std::string_view value;
};

// dmarc-tag = 1*ALPHA equals 1*dmarc-value; an empty name for what is none.
TagView next_tag(std::string_view& rest) {
    const std::string_view spec = text::next_field(rest, ';');
    const std::size_t equals = spec.find('=');
    if (equals == spec.npos) return {};
    return {text::trim(spec.substr(0, equals)), text::trim(spec.substr(equals + 1))};
}

// dmarc-request = "none" / "quarantine" / "reject"
std::optional<DmarcPolicy> find_policy(std::string_view value) {
    if (text::iequals(value, "none")) return DmarcPolicy::none;
    if (text::iequals(value, "quarantine")) return DmarcPolicy::quarantine;
    if (text::iequals(value, "reject")) return DmarcPolicy::reject;
    return std::nullopt;
}

// dmarc-urilist = dmarc-uri *(*WSP "," *WSP dmarc-uri); what has no scheme is no URI.
std::vector<std::string> read_uris(std::string_view value) {
    std::vector<std::string> uris;
    for (std::string& uri : split_list(value, ',', kMaxUris)) {
        const std::size_t colon = uri.find(':');
        if (colon != 0 && colon != uri.npos && colon + 1 < uri.size()) uris.push_back(std::move(uri));
    }
    return uris;
}

class RecordReader {
public:
    // Takes one tag; the first of several with the same name counts for policies and the last for the rest,
    // which no standard settles.
    void take(const TagView& tag) {
        const auto is = [&](std::string_view name) { return text::iequals(tag.name, name); };
        if (is("p")) take_policy(tag.value, policy_);
        if (is("sp")) take_policy(tag.value, record_.subdomain_policy);
        if (is("np")) take_policy(tag.value, record_.nonexistent_policy);
        if (is("adkim")) take_alignment(tag.value, record_.dkim);
        if (is("aspf")) take_alignment(tag.value, record_.spf);
        if (is("rua")) record_.aggregate_reports = read_uris(tag.value);
        if (is("ruf")) record_.failure_reports = read_uris(tag.value);
        if (is("fo")) record_.failure_options = tag.value;
        if (is("t")) record_.testing = text::iequals(tag.value, "y");
        if (is("psd") && text::iequals(tag.value, "y")) record_.public_suffix = PublicSuffix::yes;
        if (is("psd") && text::iequals(tag.value, "n")) record_.public_suffix = PublicSuffix::no;
    }

    // RFC 9989, 4.10.1
    Parsed<DmarcRecord> finish() {
        if (bad_policy_ && record_.aggregate_reports.empty())
            return ParseError("unknown policy in p=, sp= or np=", 0);
        if (bad_policy_) {
            policy_ = DmarcPolicy::none;
            record_.subdomain_policy.reset();
            record_.nonexistent_policy.reset();
        }
        record_.policy = policy_.value_or(DmarcPolicy::none);
        return std::move(record_);
    }

private:
    void take_policy(std::string_view value, std::optional<DmarcPolicy>& out) {
        const auto policy = find_policy(value);
        if (!policy) bad_policy_ = true;
        if (!out) out = policy;
    }
    static void take_alignment(std::string_view value, Alignment& out) {
        if (text::iequals(value, "s")) out = Alignment::strict;
        if (text::iequals(value, "r")) out = Alignment::relaxed;
    }

    DmarcRecord record_;
    std::optional<DmarcPolicy> policy_;
    bool bad_policy_ = false;
};

}  // namespace

std::string_view to_string(DmarcVerdict verdict) {
    switch (verdict) {
        case DmarcVerdict::none:
            return "none";
        case DmarcVerdict::pass:
            return "pass";
        case DmarcVerdict::fail:
            return "fail";
        case DmarcVerdict::temperror:
            return "temperror";
        case DmarcVerdict::permerror:
            return "permerror";
    }
    return "none";
}

std::string_view to_string(DmarcPolicy policy) {
    switch (policy) {
        case DmarcPolicy::none:
            return "none";
        case DmarcPolicy::quarantine:
            return "quarantine";
        case DmarcPolicy::reject:
            return "reject";
    }
    return "none";
}

// dmarc-version = "v" equals %s"DMARC1"
bool is_dmarc_record(std::string_view text) {
    const TagView version = next_tag(text);
    return version.name == "v" && version.value == "DMARC1";
}

Parsed<DmarcRecord> parse_dmarc_record(std::string_view text) {
    if (!is_dmarc_record(text)) return ParseError("not a DMARC1 record", 0);
    if (text.size() > kMaxRecord) return ParseError("record too long", kMaxRecord);
    RecordReader reader;
    std::string_view rest = text;
    next_tag(rest);
    while (!rest.empty()) reader.take(next_tag(rest));
    return reader.finish();
}

// RFC 9989, 4.10: the name itself, then with its labels cut to seven, then one label less each time.
std::vector<std::string> tree_walk(std::string_view domain) {
    std::vector<std::string> names{std::string(domain)};
    std::size_t labels = 1 + static_cast<std::size_t>(std::count(domain.begin(), domain.end(), '.'));
    std::string_view rest = domain;
    while (labels > 1) {
        do {
            rest.remove_prefix(rest.find('.') + 1);
            --labels;
        } while (labels >= kMaxWalk);
        names.emplace_back(rest);
    }
    return names;
}

Authors read_authors(std::span<const std::string_view> from_values) {
    Authors authors;
    authors.complete = from_values.size() == 1;
    for (const std::string_view value : from_values) {
        mime::AddressListReader reader(value);
        mime::ListedAddress entry;
        while (reader.next(entry)) {
            if (entry.kind != mime::ListedAddress::Kind::mailbox) continue;
            const auto domain = Domain::parse(entry.domain);
            if (!domain || domain->is_literal() || authors.domains.size() == kMaxAuthors) {
                authors.complete = false;
            } else if (std::find(authors.domains.begin(), authors.domains.end(), *domain) ==
                       authors.domains.end()) {
                authors.domains.push_back(*domain);
            }
        }
    }
    return authors;
}

DmarcInput DmarcInput::of(Authors authors, const SpfResult& spf, std::span<const DkimResult> dkim) {
    DmarcInput input;
    input.authors = std::move(authors);
    input.spf = spf.verdict;
    input.spf_domain = spf.domain;
    if (spf.verdict == SpfVerdict::temperror) input.unsettled_domains.push_back(spf.domain);
    for (const DkimResult& result : dkim) {
        if (result.verdict == DkimVerdict::pass) input.dkim_domains.push_back(result.domain);
        if (result.verdict == DkimVerdict::temperror) input.unsettled_domains.push_back(result.domain);
    }
    return input;
}

}  // namespace mailstead::mailauth
