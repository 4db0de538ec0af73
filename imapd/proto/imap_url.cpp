#include "imapd/proto/imap_url.h"

#include <vector>

#include "common/base/percent.h"
#include "common/base/text.h"

namespace mailstead::imapd::proto {
namespace {

ParseError bad(std::string_view what) {
    return ParseError(what, 0);
}

std::size_t ifind(std::string_view text, std::string_view what) {
    for (std::size_t at = 0; at + what.size() <= text.size(); ++at) {
        if (text::iequals(text.substr(at, what.size()), what)) return at;
    }
    return std::string_view::npos;
}

// nz-number, all of `text`.
Parsed<std::uint32_t> parse_nz(std::string_view text) {
    const auto number = text::parse_number<std::uint32_t>(text);
    if (!number || *number == 0) return bad("number expected");
    return *number;
}

// iserver   = [iuserinfo "@"] host [ ":" port ]
// iuserinfo = enc-user [iauth] / [enc-user] iauth
Parsed<ImapUrl::Server> parse_server(std::string_view text) {
    ImapUrl::Server server;
    if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
        std::string_view user = text.substr(0, at);
        // How to log in says nothing here: the session is logged in.
        user = user.substr(0, ifind(user, ";AUTH="));
        if (!user.empty()) {
            TRY(decoded, percent_decode(user));
            server.user = std::move(decoded);
        }
        text.remove_prefix(at + 1);
    }
    if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos && !text.ends_with(']')) {
        const auto port = text::parse_number<std::uint16_t>(text.substr(colon + 1));
        if (!port) return bad("port expected");
        server.port = *port;
        text = text.substr(0, colon);
    }
    if (text.empty()) return bad("host expected");
    server.host = std::string(text);
    return server;
}

// uidvalidity = ";UIDVALIDITY=" nz-number
Parsed<void> take_uidvalidity(std::string_view& mailbox, ImapUrl& url) {
    constexpr std::string_view kWord = ";UIDVALIDITY=";
    const std::size_t at = ifind(mailbox, kWord);
    if (at == std::string_view::npos) return {};
    TRY(number, parse_nz(mailbox.substr(at + kWord.size())));
    url.uidvalidity = number;
    mailbox = mailbox.substr(0, at);
    return {};
}

// Levels of `text` behind those of the base: "." and ".." mean what they mean in paths (RFC 3986, 5.2.4).
Parsed<void> add_levels(std::string_view text, std::vector<std::string>& levels) {
    while (true) {
        const std::size_t slash = text.find('/');
        const std::string_view level = text.substr(0, slash);
        if (level == "..") {
            if (!levels.empty()) levels.pop_back();
        } else if (level != ".") {
            TRY(decoded, percent_decode(level));
            levels.push_back(std::move(decoded));
        }
        if (slash == std::string_view::npos) return {};
        text.remove_prefix(slash + 1);
    }
}

// enc-mailbox = 1*bchar, in UTF-8
Parsed<MailboxName> parse_mailbox_path(std::string_view text, const std::optional<MailboxName>& base) {
    if (text.find_first_of(";?#") != std::string_view::npos) return bad("not a mailbox");
    std::vector<std::string> levels;
    if (base) {
        if (text.empty()) return *base;  // RFC 5092, 9.1: <;UID=20>
        for (const std::string_view level : base->levels()) levels.emplace_back(level);
        levels.pop_back();
    }
    TRY_VOID(add_levels(text, levels));
    std::string name;
    for (const std::string& level : levels) {
        if (!name.empty()) name += MailboxName::kSeparator;
        name += level;
    }
    if (name.find('\0') != std::string::npos) return bad("not a mailbox");
    return MailboxName::parse(name);
}

// partial-range = number ["." nz-number]
Parsed<Partial> parse_partial_range(std::string_view text) {
    Partial partial;
    const std::size_t dot = text.find('.');
    const auto offset = text::parse_number<std::uint64_t>(text.substr(0, dot));
    if (!offset) return bad("number expected");
    partial.offset = *offset;
    partial.count = UINT64_MAX;
    if (dot == std::string_view::npos) return partial;
    const auto count = text::parse_number<std::uint64_t>(text.substr(dot + 1));
    if (!count || *count == 0) return bad("number above zero expected");
    partial.count = *count;
    return partial;
}

// enc-section = 1*bchar, the escaped form of section-spec
Parsed<Section> parse_enc_section(std::string_view text) {
    TRY(decoded, percent_decode(text));
    Lexer in(decoded);
    TRY(section, parse_section_spec(in));
    if (!in.at_end()) return in.error("section expected");
    return section;
}

// iuid-only ["/" isection-only] ["/" ipartial-only], behind ";UID="
Parsed<void> parse_part(std::string_view text, ImapUrl& url) {
    constexpr std::string_view kSection = "/;SECTION=";
    constexpr std::string_view kPartial = "/;PARTIAL=";
    if (const std::size_t at = ifind(text, kPartial); at != std::string_view::npos) {
        TRY(partial, parse_partial_range(text.substr(at + kPartial.size())));
        url.partial = partial;
        text = text.substr(0, at);
    }
    if (const std::size_t at = ifind(text, kSection); at != std::string_view::npos) {
        TRY(section, parse_enc_section(text.substr(at + kSection.size())));
        url.section = std::move(section);
        text = text.substr(0, at);
    }
    TRY(uid, parse_nz(text));
    url.uid = uid;
    return {};
}

}  // namespace

// imapurl     = "imap://" iserver ipath-query
// imapurl-rel = "//" iserver ipath-query / "/" [icommand] / irelative-path
// imessagepart = enc-mailbox [uidvalidity] "/" ";UID=" nz-number [isection] [ipartial]
Parsed<ImapUrl> parse_imap_url(std::string_view text, const std::optional<MailboxName>& base) {
    constexpr std::string_view kScheme = "imap:";
    constexpr std::string_view kUid = ";UID=";
    if (text.size() > kMaxUrl) return bad("URL too long");
    ImapUrl url;
    if (text::istarts_with(text, kScheme)) {
        text.remove_prefix(kScheme.size());
        if (!text.starts_with("//")) return bad("server expected");
    }
    if (text.starts_with("//")) {
        text.remove_prefix(2);
        const std::size_t slash = text.find('/');
        TRY(server, parse_server(text.substr(0, slash)));
        url.server = std::move(server);
        if (slash == std::string_view::npos) return bad("mailbox expected");
        text.remove_prefix(slash);
    }
    const bool from_root = text.starts_with('/');
    if (from_root) text.remove_prefix(1);
    const std::size_t at = ifind(text, kUid);
    if (at == std::string_view::npos) return bad("UID expected");
    std::string_view mailbox = text.substr(0, at);
    if (!mailbox.empty() && !mailbox.ends_with('/')) return bad("/ expected");
    if (!mailbox.empty()) mailbox.remove_suffix(1);
    TRY_VOID(take_uidvalidity(mailbox, url));
    if (from_root && mailbox.empty()) return bad("mailbox expected");
    TRY(name, parse_mailbox_path(mailbox, from_root ? std::nullopt : base));
    url.mailbox = std::move(name);
    TRY_VOID(parse_part(text.substr(at + kUid.size()), url));
    return url;
}

}  // namespace mailstead::imapd::proto
