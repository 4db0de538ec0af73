// GETMETADATA and SETMETADATA (RFC 5464).
#include <algorithm>

#include "common/base/text.h"
#include "imapd/proto/parser.h"

namespace mailstead::imapd::proto {
namespace {

constexpr std::size_t kMaxEntryName = 200;

// RFC 5464, 3.2: "/private" or "/shared", then at least one component; the names of vendors have four.
bool is_entry_name(std::string_view name) {
    if (name.size() > kMaxEntryName || name.ends_with('/')) return false;
    if (!name.starts_with("/private/") && !name.starts_with("/shared/")) return false;
    if (name.find("//") != std::string_view::npos) return false;
    const auto bad = [](char c) { return c <= 0x1F || c >= 0x7F || c == '*' || c == '%'; };
    if (std::any_of(name.begin(), name.end(), bad)) return false;
    const bool vendor = name.starts_with("/private/vendor/") || name.starts_with("/shared/vendor/");
    return !vendor || std::count(name.begin(), name.end(), '/') >= 4;
}

// entry = astring   ; slash-separated path to entry
Parsed<std::string> parse_entry(Lexer& in) {
    const std::size_t start = in.offset();
    TRY(name, in.astring());
    std::string lower = text::lower(name);
    if (!is_entry_name(lower)) return ParseError("not the name of an entry", start);
    return lower;
}

// With DEPTH, also what lies above entries may be named: "/private", "/shared/vendor/x".
Parsed<std::string> parse_wanted_entry(Lexer& in) {
    const std::size_t start = in.offset();
    TRY(name, in.astring());
    std::string lower = text::lower(name);
    const bool root = lower == "/private" || lower == "/shared";
    const bool vendor = lower.starts_with("/private/vendor") || lower.starts_with("/shared/vendor");
    if (!root && !is_entry_name(lower) && !(vendor && is_entry_name(lower + "/x/y")))
        return ParseError("not the name of an entry", start);
    return lower;
}

// getmetadata-option = maxsize-opt / scope-opt
// maxsize-opt = "MAXSIZE" SP number    scope-opt = "DEPTH" SP ("0" / "1" / "infinity")
Parsed<void> parse_options(Lexer& in, MetadataEntries& entries) {
    TRY_VOID(in.expect('(', "( expected"));
    do {
        if (in.take_word("MAXSIZE")) {
            TRY_VOID(in.space());
            TRY(size, in.number64());
            entries.max_size = size;
        } else if (in.take_word("DEPTH")) {
            TRY_VOID(in.space());
            if (in.take_word("0")) {
                entries.depth = MetadataEntries::Depth::none;
            } else if (in.take_word("1")) {
                entries.depth = MetadataEntries::Depth::one;
            } else if (in.take_word("infinity")) {
                entries.depth = MetadataEntries::Depth::infinity;
            } else {
                return in.error("0, 1 or infinity expected");
            }
        } else {
            return in.error("unknown option");
        }
    } while (in.take(' '));
    return in.expect(')', ") expected");
}

// A list of options, which begins with a word; a list of entries begins with a slash or a string.
bool options_follow(Lexer in) {
    return in.take('(') && (in.take_word("MAXSIZE") || in.take_word("DEPTH"));
}

// mailbox; the empty string is the server.
Parsed<std::optional<MailboxName>> parse_place(Parser& p) {
    Lexer ahead = p.in;
    const auto name = ahead.astring();
    if (name && name->empty()) {
        p.in = ahead;
        return std::optional<MailboxName>();
    }
    TRY(mailbox, parse_mailbox(p));
    return std::optional<MailboxName>(std::move(mailbox));
}

// value = nstring / literal8
Parsed<std::optional<std::string>> parse_value(Lexer& in) {
    if (in.peek() != '~') return in.nstring();
    TRY(value, in.literal8());
    return std::optional<std::string>(std::move(value));
}

}  // namespace

// entries = entry / "(" entry *(SP entry) ")"
Parsed<std::vector<std::string>> parse_metadata_entries(Lexer& in) {
    std::vector<std::string> names;
    const bool several = in.take('(');
    do {
        if (names.size() == kMaxMetadataArguments) return in.error("too many entries");
        TRY(name, parse_wanted_entry(in));
        names.push_back(std::move(name));
    } while (several && in.take(' '));
    if (several) TRY_VOID(in.expect(')', ") expected"));
    return names;
}

// getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries
// The examples of RFC 5464, 4.2 have the options behind the mailbox, and clients do as they do.
Parsed<GetMetadata> parse_getmetadata(Parser& p) {
    GetMetadata get;
    TRY_VOID(p.in.space());
    if (options_follow(p.in)) {
        TRY_VOID(parse_options(p.in, get.entries));
        TRY_VOID(p.in.space());
    }
    TRY(mailbox, parse_place(p));
    get.mailbox = std::move(mailbox);
    TRY_VOID(p.in.space());
    if (options_follow(p.in)) {
        TRY_VOID(parse_options(p.in, get.entries));
        TRY_VOID(p.in.space());
    }
    TRY(names, parse_metadata_entries(p.in));
    get.entries.names = std::move(names);
    return get;
}

// setmetadata  = "SETMETADATA" SP mailbox SP entry-values
// entry-values = "(" entry-value *(SP entry-value) ")"    entry-value = entry SP value
Parsed<SetMetadata> parse_setmetadata(Parser& p) {
    SetMetadata set;
    TRY_VOID(p.in.space());
    TRY(mailbox, parse_place(p));
    set.mailbox = std::move(mailbox);
    TRY_VOID(p.in.space());
    TRY_VOID(p.in.expect('(', "( expected"));
    do {
        if (set.entries.size() == kMaxMetadataArguments) return p.in.error("too many entries");
        TRY(name, parse_entry(p.in));
        TRY_VOID(p.in.space());
        TRY(value, parse_value(p.in));
        set.entries.emplace_back(std::move(name), std::move(value));
    } while (p.in.take(' '));
    TRY_VOID(p.in.expect(')', ") expected"));
    return set;
}

}  // namespace mailstead::imapd::proto
