// APPEND and REPLACE.
#include "common/mime/date_time.h"
#include "imapd/proto/parser.h"

namespace mailstead::imapd::proto {
namespace {

// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
Parsed<std::chrono::sys_seconds> parse_date_time(Lexer& in) {
    const std::size_t start = in.offset();
    TRY(written, in.string());
    const auto when = mime::parse_imap_date_time(written);
    if (!when) return ParseError("date-time expected", start);
    return when->utc;
}

// utf8-literal = "UTF8" SP "(" literal8 ")"   (RFC 6855, 4)
Parsed<StreamedLiteral> parse_utf8_literal(Lexer& in, bool whole) {
    TRY_VOID(in.space());
    TRY_VOID(in.expect('(', "( expected"));
    TRY(literal, in.streamed_literal());
    if (whole || !in.at_end()) TRY_VOID(in.expect(')', ") expected"));
    return literal;
}

// cat-part     = text-literal / url / utf8-literal   (RFC 4469, 5; RFC 6855, 4)
// text-literal = "TEXT" SP literal
// url          = "URL" SP astring
Parsed<CatenatePart> parse_catenate_part(Lexer& in, bool whole) {
    CatenatePart part;
    if (in.take_word("URL")) {
        TRY_VOID(in.space());
        TRY(url, in.astring());
        part.url = std::move(url);
        return part;
    }
    if (in.take_word("UTF8")) {
        TRY(text, parse_utf8_literal(in, whole));
        part.text = text;
        return part;
    }
    if (!in.take_word("TEXT")) return in.error("TEXT or URL expected");
    TRY_VOID(in.space());
    TRY(text, in.streamed_literal());
    part.text = text;
    return part;
}

// "(" cat-part *(SP cat-part) ")". Before the whole is there, only a TEXT may be the last.
Parsed<void> parse_catenate(Lexer& in, std::vector<CatenatePart>& parts, std::size_t room, bool whole) {
    TRY_VOID(in.space());
    TRY_VOID(in.expect('(', "( expected"));
    do {
        if (parts.size() == room) return in.error("too many parts");
        TRY(part, parse_catenate_part(in, whole));
        parts.push_back(std::move(part));
        if (!whole && in.at_end() && !parts.back().url) return {};
    } while (in.take(' '));
    return in.expect(')', ") expected");
}

// append-data = literal / literal8 / utf8-literal / "CATENATE" SP "(" cat-part *(SP cat-part) ")"
Parsed<void> parse_append_data(Lexer& in, AppendMessage& message, std::size_t room, bool whole) {
    if (in.take_word("CATENATE")) return parse_catenate(in, message.parts, room, whole);
    if (in.take_word("UTF8")) {
        TRY(literal, parse_utf8_literal(in, whole));
        message.literal = literal;
        return {};
    }
    TRY(literal, in.streamed_literal());
    message.literal = literal;
    return {};
}

// append-message = [SP flag-list] [SP date-time] SP append-data   (RFC 3502)
Parsed<AppendMessage> parse_append_message(Lexer& in, std::size_t room, bool whole) {
    AppendMessage message;
    TRY_VOID(in.space());
    if (in.peek() == '(') {
        TRY(flags, parse_flag_list(in));
        message.flags = std::move(flags);
        TRY_VOID(in.space());
    }
    if (in.peek() == '"') {
        TRY(when, parse_date_time(in));
        message.internal_date = when;
        TRY_VOID(in.space());
    }
    TRY_VOID(parse_append_data(in, message, room, whole));
    return message;
}

// seq-number = nz-number / "*"
Parsed<SequenceSet> parse_one_message(Lexer& in) {
    Lexer ahead = in;
    if (!ahead.take('*')) TRY_VOID(ahead.nz_number());
    if (ahead.peek() != ' ') return ahead.error("one message expected");
    return SequenceSet::parse(in);
}

}  // namespace

std::size_t AppendMessage::literals() const {
    if (parts.empty()) return 1;
    std::size_t count = 0;
    for (const CatenatePart& part : parts) count += part.url ? 0 : 1;
    return count;
}

std::size_t Append::literals() const {
    std::size_t count = 0;
    for (const AppendMessage& message : messages) count += message.literals();
    return count;
}

bool Append::catenates() const {
    for (const AppendMessage& message : messages) {
        if (!message.parts.empty()) return true;
    }
    return false;
}

// append = "APPEND" SP mailbox 1*append-message
Parsed<Append> parse_append(Parser& p, bool whole) {
    Append append;
    TRY_VOID(p.in.space());
    TRY(mailbox, parse_mailbox(p));
    append.mailbox = std::move(mailbox);
    std::size_t room = kMaxCatenateParts;
    do {
        if (append.messages.size() == kMaxAppendMessages) return p.in.error("too many messages");
        TRY(message, parse_append_message(p.in, room, whole));
        room -= message.parts.size();
        append.messages.push_back(std::move(message));
        if (whole && Lexer(p.in).end()) break;
    } while (!p.in.at_end());
    return append;
}

// replace = "REPLACE" SP seq-number SP mailbox append-message   (RFC 8508, 5)
Parsed<Replace> parse_replace(Parser& p, bool uid, bool whole) {
    Replace replace;
    replace.uid = uid;
    TRY_VOID(p.in.space());
    TRY(message, parse_one_message(p.in));
    replace.message = std::move(message);
    TRY(append, parse_append(p, whole));
    if (append.messages.size() != 1) return p.in.error("one message expected");
    replace.append = std::move(append);
    return replace;
}

}  // namespace mailstead::imapd::proto
