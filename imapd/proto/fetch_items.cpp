#include "imapd/proto/fetch_items.h"

#include <charconv>

#include "common/base/text.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd::proto {
namespace {

struct Simple {
    std::string_view name;
    FetchKind kind;
    bool peek;
};
constexpr Simple kSimple[] = {
    {"FLAGS", FetchKind::flags, true},
    {"UID", FetchKind::uid, true},
    {"INTERNALDATE", FetchKind::internal_date, true},
    {"RFC822.SIZE", FetchKind::size, true},
    {"ENVELOPE", FetchKind::envelope, true},
    {"BODYSTRUCTURE", FetchKind::body_structure, true},
    {"MODSEQ", FetchKind::mod_seq, true},
    {"EMAILID", FetchKind::email_id, true},
    {"THREADID", FetchKind::thread_id, true},
    {"SAVEDATE", FetchKind::save_date, true},
    {"RFC822", FetchKind::rfc822, false},
    {"RFC822.HEADER", FetchKind::rfc822_header, true},
    {"RFC822.TEXT", FetchKind::rfc822_text, false},
};

// header-list = "(" header-fld-name *(SP header-fld-name) ")"
Parsed<std::vector<std::string>> parse_header_list(Lexer& in) {
    TRY_VOID(in.expect('(', "header list expected"));
    std::vector<std::string> names;
    do {
        if (names.size() == kMaxHeaderNames) return in.error("too many header names");
        TRY(name, in.astring());
        names.push_back(std::move(name));
    } while (in.take(' '));
    TRY_VOID(in.expect(')', "end of header list expected"));
    return names;
}

// section-part = nz-number *("." nz-number)   ; and the "." before a section-text, when there is one
Parsed<bool> parse_part(Lexer& in, std::vector<std::uint32_t>& part) {
    while (text::is_digit(in.peek())) {
        if (part.size() == kMaxPartDepth) return in.error("section too deep");
        TRY(number, in.nz_number());
        part.push_back(number);
        if (!in.take('.')) return false;
    }
    return true;
}

// section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
// section-text    = section-msgtext / "MIME"
Parsed<void> parse_section_text(Lexer& in, Section& section) {
    if (in.take_word("HEADER.FIELDS.NOT")) {
        section.text = Section::Text::header_fields_not;
    } else if (in.take_word("HEADER.FIELDS")) {
        section.text = Section::Text::header_fields;
    } else if (in.take_word("HEADER")) {
        section.text = Section::Text::header;
        return {};
    } else if (in.take_word("TEXT")) {
        section.text = Section::Text::text;
        return {};
    } else if (!section.part.empty() && in.take_word("MIME")) {
        section.text = Section::Text::mime;
        return {};
    } else {
        return in.error("section expected");
    }
    TRY_VOID(in.space());
    TRY(fields, parse_header_list(in));
    section.fields = std::move(fields);
    return {};
}

// section      = "[" [section-spec] "]"
Parsed<Section> parse_section(Lexer& in) {
    TRY_VOID(in.expect('[', "[ expected"));
    if (in.take(']')) return Section();
    TRY(section, parse_section_spec(in));
    TRY_VOID(in.expect(']', "] expected"));
    return section;
}

// section-binary = "[" [section-part] "]"
Parsed<Section> parse_binary_section(Lexer& in) {
    TRY_VOID(in.expect('[', "[ expected"));
    Section section;
    if (in.take(']')) return section;
    TRY(text_follows, parse_part(in, section.part));
    if (text_follows) return in.error("part number expected");
    TRY_VOID(in.expect(']', "] expected"));
    return section;
}

// partial = "<" number64 "." nz-number64 ">"
Parsed<std::optional<Partial>> parse_partial(Lexer& in) {
    if (!in.take('<')) return std::optional<Partial>();
    Partial partial;
    TRY(offset, in.number64());
    TRY_VOID(in.expect('.', ". expected"));
    TRY(count, in.number64());
    if (count == 0) return in.error("number above zero expected");
    TRY_VOID(in.expect('>', "> expected"));
    partial.offset = offset;
    partial.count = count;
    return std::optional<Partial>(partial);
}

// "BODY" section [partial] / "BODY.PEEK" section [partial]
Parsed<FetchItem> parse_body_section(Lexer& in, bool peek) {
    FetchItem item;
    item.kind = FetchKind::section;
    item.peek = peek;
    TRY(section, parse_section(in));
    item.section = std::move(section);
    TRY(partial, parse_partial(in));
    item.partial = partial;
    return item;
}

// "BINARY" [".PEEK"] section-binary [partial] / "BINARY.SIZE" section-binary
Parsed<FetchItem> parse_binary(Lexer& in, FetchKind kind, bool peek) {
    FetchItem item;
    item.kind = kind;
    item.peek = peek;
    TRY(section, parse_binary_section(in));
    item.section = std::move(section);
    if (kind == FetchKind::binary) {
        TRY(partial, parse_partial(in));
        item.partial = partial;
    }
    return item;
}

// "PREVIEW" [SP "(" "LAZY" ")"]   (RFC 8970, 6)
Parsed<FetchItem> parse_preview(Lexer& in) {
    FetchItem item;
    item.kind = FetchKind::preview;
    item.peek = true;
    Lexer ahead = in;
    if (!ahead.take(' ') || !ahead.take('(')) return item;
    if (!ahead.take_word("LAZY")) return ahead.error("preview modifier expected");
    TRY_VOID(ahead.expect(')', ") expected"));
    in = ahead;
    return item;
}

// fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822.SIZE" / "BODY" ["STRUCTURE"] / "UID" / ...
Parsed<FetchItem> parse_item(Lexer& in) {
    const std::size_t start = in.offset();
    TRY(name, in.word());
    if (text::iequals(name, "BODY")) {
        if (in.peek() == '[') return parse_body_section(in, false);
        return FetchItem{FetchKind::body, true, {}, {}};
    }
    if (text::iequals(name, "BODY.PEEK")) return parse_body_section(in, true);
    if (text::iequals(name, "BINARY")) return parse_binary(in, FetchKind::binary, false);
    if (text::iequals(name, "BINARY.PEEK")) return parse_binary(in, FetchKind::binary, true);
    if (text::iequals(name, "BINARY.SIZE")) return parse_binary(in, FetchKind::binary_size, true);
    if (text::iequals(name, "PREVIEW")) return parse_preview(in);
    for (const Simple& simple : kSimple) {
        if (text::iequals(name, simple.name)) return FetchItem{simple.kind, simple.peek, {}, {}};
    }
    return ParseError("unknown fetch item", start);
}

std::vector<FetchItem> simple_items(std::initializer_list<FetchKind> kinds) {
    std::vector<FetchItem> items;
    for (const FetchKind kind : kinds) items.push_back(FetchItem{kind, true, {}, {}});
    return items;
}

}  // namespace

Parsed<Section> parse_section_spec(Lexer& in) {
    Section section;
    TRY(text_follows, parse_part(in, section.part));
    if (text_follows) TRY_VOID(parse_section_text(in, section));
    return section;
}

bool FetchItem::sets_seen() const {
    switch (kind) {
        case FetchKind::section:
        case FetchKind::binary:
        case FetchKind::rfc822:
        case FetchKind::rfc822_text:
            return !peek;
        default:
            return false;
    }
}

Parsed<std::vector<FetchItem>> parse_fetch_items(Lexer& in) {
    using enum FetchKind;
    if (in.take_word("ALL")) return simple_items({flags, internal_date, size, envelope});
    if (in.take_word("FAST")) return simple_items({flags, internal_date, size});
    if (in.take_word("FULL")) return simple_items({flags, internal_date, size, envelope, FetchKind::body});
    std::vector<FetchItem> items;
    if (!in.take('(')) {
        TRY(item, parse_item(in));
        items.push_back(std::move(item));
        return items;
    }
    do {
        if (items.size() == kMaxFetchItems) return in.error("too many fetch items");
        TRY(item, parse_item(in));
        items.push_back(std::move(item));
    } while (in.take(' '));
    TRY_VOID(in.expect(')', "end of fetch items expected"));
    return items;
}

void write_section(std::string& out, const Section& section) {
    bool first = true;
    for (const std::uint32_t number : section.part) {
        if (!first) out += '.';
        first = false;
        write_number(out, number);
    }
    if (section.text == Section::Text::content) return;
    if (!first) out += '.';
    switch (section.text) {
        case Section::Text::content:
            break;
        case Section::Text::header:
            out += "HEADER";
            break;
        case Section::Text::text:
            out += "TEXT";
            break;
        case Section::Text::mime:
            out += "MIME";
            break;
        case Section::Text::header_fields:
            out += "HEADER.FIELDS (";
            break;
        case Section::Text::header_fields_not:
            out += "HEADER.FIELDS.NOT (";
            break;
    }
    if (section.text != Section::Text::header_fields && section.text != Section::Text::header_fields_not)
        return;
    first = true;
    for (const std::string& field : section.fields) {
        if (!first) out += ' ';
        first = false;
        write_astring(out, field);
    }
    out += ')';
}

}  // namespace mailstead::imapd::proto
