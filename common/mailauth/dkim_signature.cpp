#include "common/mailauth/dkim_signature.h"

#include <algorithm>

#include "common/base/base64.h"
#include "common/base/text.h"
#include "common/dns/records.h"
#include "common/mailauth/tag_list.h"

namespace mailstead::mailauth {
namespace {

// No signer names more; each costs a look into the header.
constexpr std::size_t kMaxSignedFields = 1000;
constexpr std::size_t kSignatureStart = 8;  // RFC 6008, 4 wants at least eight

std::optional<Canonicalization> find_form(std::string_view name) {
    if (name == "simple") return Canonicalization::simple;
    if (name == "relaxed") return Canonicalization::relaxed;
    return std::nullopt;
}

// sig-c-tag = header form [ "/" body form ]; the body is simple if it is not named.
bool read_forms(const TagList& list, DkimSignature& out) {
    if (list.find("c") == nullptr) return true;
    const std::string value = list.compact("c");
    const std::size_t slash = value.find('/');
    const auto header = find_form(std::string_view(value).substr(0, slash));
    const auto body =
        slash == value.npos ? Canonicalization::simple : find_form(std::string_view(value).substr(slash + 1));
    if (!header || !body) return false;
    out.header_form = *header;
    out.body_form = *body;
    return true;
}

// 1*12DIGIT for times, 1*76DIGIT for l= (what does not fit 64 bits is longer than any body).
bool read_number(const TagList& list, std::string_view name, std::optional<std::uint64_t>& out) {
    if (list.find(name) == nullptr) return true;
    const std::string value = list.compact(name);
    if (value.empty() || value.find_first_not_of("0123456789") != value.npos) return false;
    out = text::parse_number<std::uint64_t>(value).value_or(UINT64_MAX);
    return true;
}

// RFC 6376, 3.5 on i=: the domain part is d= or below it.
bool identity_fits(std::string_view identity, std::string_view domain) {
    const std::size_t at = identity.rfind('@');
    if (at == identity.npos) return false;
    const std::string_view host = identity.substr(at + 1);
    if (text::iequals(host, domain)) return true;
    return host.size() > domain.size() + 1 && host[host.size() - domain.size() - 1] == '.' &&
           text::iequals(host.substr(host.size() - domain.size()), domain);
}

bool is_signed(const DkimSignature& signature, std::string_view field) {
    return std::any_of(signature.fields.begin(), signature.fields.end(),
                       [&](const std::string& name) { return text::iequals(name, field); });
}

std::string_view read_algorithm(const TagList& list, DkimSignatureReading& reading) {
    DkimSignature& out = reading.signature;
    out.algorithm = list.compact("a");
    if (text::iequals(out.algorithm, "rsa-sha256")) {
        out.key_algorithm = DkimAlgorithm::rsa_sha256;
    } else if (text::iequals(out.algorithm, "ed25519-sha256")) {
        out.key_algorithm = DkimAlgorithm::ed25519_sha256;
    } else if (text::iequals(out.algorithm, "rsa-sha1")) {
        return "rsa-sha1 is no longer secure (RFC 8301)";
    } else {
        return "unknown algorithm in a=";
    }
    return "";
}

// The tags one after another; the reason for a permerror, or empty.
std::string_view read_tags(const TagList& list, DkimSignatureReading& reading) {
    DkimSignature& out = reading.signature;
    out.domain = text::lower(list.compact("d"));
    out.selector = text::lower(list.compact("s"));
    out.identity = list.find("i") != nullptr ? list.compact("i") : "@" + out.domain;
    if (const std::size_t at = out.identity.rfind('@'); at != out.identity.npos) {
        out.identity = out.identity.substr(0, at) + text::lower(std::string_view(out.identity).substr(at));
    }
    const std::string signature = list.compact("b");
    out.signature_start = signature.substr(0, kSignatureStart);

    for (const std::string_view name : {"v", "a", "b", "bh", "d", "h", "s"}) {
        if (list.find(name) == nullptr) return "a required tag is missing";
    }
    if (list.compact("v") != "1") return "unknown version";
    if (const auto problem = read_algorithm(list, reading); !problem.empty()) return problem;
    if (out.domain.find('\\') != out.domain.npos || out.selector.find('\\') != out.selector.npos ||
        !dns::is_askable(out.selector + "._domainkey." + out.domain)) {
        return "d= or s= is no domain name";
    }
    if (!identity_fits(out.identity, out.domain)) return "i= is outside of d=";
    if (!read_forms(list, out)) return "unknown canonicalization in c=";

    const auto body_hash = base64_decode_folded(list.find("bh")->value);
    if (!body_hash || body_hash->size() != 32) return "bh= is no SHA-256 hash";
    out.body_hash = *body_hash;
    auto decoded = base64_decode_folded(signature);
    if (!decoded || decoded->empty()) return "b= is not base64";
    out.signature = std::move(*decoded);

    out.fields = split_list(list.find("h")->value, ':', kMaxSignedFields);
    // RFC 6376, 5.4: From must be signed.
    if (!is_signed(out, "from")) return "From is not signed";
    if (!read_number(list, "l", out.body_length)) return "malformed l=";
    if (!read_number(list, "t", out.signed_at)) return "malformed t=";
    if (!read_number(list, "x", out.expires_at)) return "malformed x=";
    if (out.expires_at && out.signed_at && *out.expires_at <= *out.signed_at) return "x= is not after t=";
    if (list.find("q") != nullptr) {
        const auto methods = split_list(list.find("q")->value, ':', 16);
        if (std::find(methods.begin(), methods.end(), "dns/txt") == methods.end())
            return "unknown query method in q=";
    }
    return "";
}

}  // namespace

DkimSignatureReading read_dkim_signature(std::string_view field_body) {
    DkimSignatureReading reading;
    const auto list = TagList::parse(field_body);
    if (!list) {
        reading.refusal = DkimVerdict::permerror;
        reading.reason = list.error().what;
        return reading;
    }
    reading.reason = read_tags(*list, reading);
    if (!reading.reason.empty()) reading.refusal = DkimVerdict::permerror;
    return reading;
}

}  // namespace mailstead::mailauth
