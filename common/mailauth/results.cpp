#include "common/mailauth/results.h"

#include "common/base/text.h"

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kMaxLine = 78;
constexpr std::size_t kMaxComment = 200;
constexpr std::size_t kMaxValue = 320;  // the longest address

std::string shortened(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return std::string(text);
    // Not in the middle of a UTF-8 character.
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
    return std::string(text.substr(0, limit));
}

// Nothing may end the field or the line that a stranger's text is put into.
std::string without_controls(std::string_view text, std::size_t limit) {
    std::string out = shortened(text, limit);
    const bool utf8 = text::is_utf8(out);
    for (char& c : out) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F) c = ' ';
        if (byte >= 0x80 && !utf8) c = '?';
    }
    return out;
}

std::string comment_text(std::string_view text) {
    std::string out;
    for (const char c : without_controls(text, kMaxComment)) {
        if (c == '(' || c == ')' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

// token (RFC 2045, 5.1), or local-part "@" domain-name of such characters.
bool is_plain(std::string_view text) {
    constexpr std::string_view kNotPlain = " ()<>,;:\\\"/[]?=";
    bool at = false;
    for (const char c : text) {
        if (kNotPlain.find(c) != kNotPlain.npos) return false;
        if (c == '@' && std::exchange(at, true)) return false;
    }
    return !text.empty();
}

// pvalue = [CFWS] ( ( value / [ [ local-part ] "@" ] domain-name ) ) [CFWS]   (RFC 8601, 2.2)
std::string property_value(std::string_view text) {
    std::string clean = without_controls(text, kMaxValue);
    if (is_plain(clean)) return clean;
    std::string out = "\"";
    for (const char c : clean) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

class FieldWriter {
public:
    explicit FieldWriter(std::string_view start) : text_(start), column_(start.size()) {}

    void word(std::string_view piece) {
        if (column_ + 1 + piece.size() > kMaxLine) {
            new_line(piece);
            return;
        }
        text_ += ' ';
        text_ += piece;
        column_ += 1 + piece.size();
    }
    void new_line(std::string_view piece) {
        text_ += "\r\n\t";
        text_ += piece;
        column_ = 8 + piece.size();
    }
    void attach(std::string_view piece) {
        text_ += piece;
        column_ += piece.size();
    }
    std::string finish() { return std::move(text_) + "\r\n"; }

private:
    std::string text_;
    std::size_t column_;
};

// Skips blanks and comments (RFC 5322, 3.2.2); false for a comment without end.
bool skip_cfws(std::string_view& text) {
    unsigned depth = 0;
    while (!text.empty()) {
        const char c = text.front();
        if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '(') return true;
        if (c == '\\' && depth > 0 && text.size() > 1) text.remove_prefix(1);
        if (c == '(') ++depth;
        if (c == ')') --depth;
        text.remove_prefix(1);
    }
    return depth == 0;
}

// value = token / quoted-string
std::string take_value(std::string_view& text) {
    std::string value;
    if (text.empty() || text.front() != '"') {
        const std::size_t end = std::min(text.find_first_of(" \t\r\n;(\"="), text.size());
        value = text.substr(0, end);
        text.remove_prefix(end);
        return value;
    }
    text.remove_prefix(1);
    while (!text.empty() && text.front() != '"') {
        if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
        value += text.front();
        text.remove_prefix(1);
    }
    if (text.empty()) return {};
    text.remove_prefix(1);
    return value;
}

}  // namespace

MethodResult method_result(const SpfResult& spf) {
    MethodResult out{"spf", std::string(to_string(spf.verdict)), spf.reason, {}};
    if (spf.identity == SpfIdentity::helo) {
        if (!spf.domain.empty()) out.properties.push_back({"smtp.helo", spf.domain});
    } else if (!spf.sender.empty()) {
        out.properties.push_back({"smtp.mailfrom", spf.sender});
    }
    return out;
}

MethodResult method_result(const DkimResult& dkim) {
    MethodResult out{"dkim", std::string(to_string(dkim.verdict)), dkim.reason, {}};
    if (out.comment.empty() && dkim.key_bits != 0) out.comment = std::to_string(dkim.key_bits) + "-bit key";
    const MethodResult::Property properties[] = {{"header.d", dkim.domain},
                                                 {"header.i", dkim.identity},
                                                 {"header.s", dkim.selector},
                                                 {"header.a", dkim.algorithm},
                                                 {"header.b", dkim.signature_start}};
    for (const MethodResult::Property& property : properties) {
        if (!property.value.empty()) out.properties.push_back(property);
    }
    return out;
}

MethodResult method_result(const DmarcResult& dmarc) {
    MethodResult out{"dmarc", std::string(to_string(dmarc.verdict)), dmarc.reason, {}};
    if (dmarc.record) {
        out.comment += "; p=" + std::string(to_string(dmarc.published));
        if (dmarc.policy_domain != dmarc.domain) out.comment += " of " + dmarc.policy_domain;
        if (dmarc.testing) out.comment += ", test mode";
    }
    if (!dmarc.domain.empty()) out.properties.push_back({"header.from", dmarc.domain});
    if (dmarc.verdict == DmarcVerdict::fail) {
        out.properties.push_back({"policy.dmarc", std::string(to_string(dmarc.apply))});
    }
    return out;
}

MethodResult method_result(const IprevResult& iprev, const dns::IpAddress& client) {
    return {
        "iprev", std::string(to_string(iprev.verdict)), iprev.name, {{"policy.iprev", client.to_string()}}};
}

MethodResult auth_passed(std::string_view mechanism, const Address& account) {
    return {"auth", "pass", std::string(mechanism), {{"smtp.auth", account.to_string()}}};
}

// authres-header-field = "Authentication-Results:" authres-payload
// authres-payload = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS] CRLF
std::string write_authentication_results(std::string_view authserv_id,
                                         std::span<const MethodResult> results) {
    FieldWriter field("Authentication-Results:");
    field.word(property_value(authserv_id));
    if (results.empty()) {
        field.attach("; none");
        return field.finish();
    }
    for (const MethodResult& result : results) {
        field.attach(";");
        field.new_line(result.method + "=" + result.result);
        if (const std::string comment = comment_text(result.comment); !comment.empty())
            field.word("(" + comment + ")");
        for (const MethodResult::Property& property : result.properties) {
            field.word(property.name + "=" + property_value(property.value));
        }
    }
    return field.finish();
}

std::string authserv_id_of(std::string_view field_value) {
    if (!skip_cfws(field_value)) return {};
    return text::lower(take_value(field_value));
}

bool pretends_to_be(std::string_view field_value, std::string_view authserv_id) {
    std::string id = authserv_id_of(field_value);
    if (id.ends_with('.')) id.pop_back();
    if (id.empty() || id.find_first_of(" \t") != id.npos) return true;
    if (text::iequals(id, authserv_id)) return true;
    const std::string below = "." + text::lower(authserv_id);
    return id.ends_with(below);
}

}  // namespace mailstead::mailauth
