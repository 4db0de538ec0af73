#include "common/mime/message_text.h"

#include <algorithm>
#include <charconv>

#include "common/base/text.h"
#include "common/mime/charset.h"
#include "common/mime/encoded_word.h"
#include "common/mime/utf8.h"

namespace mailstead::mime {
namespace {

// How much of a part a preview looks at, before and after decoding.
constexpr std::size_t kPreviewSource = 128 * 1024;
constexpr std::size_t kMaxPreview = 256;  // characters (RFC 8970, 3.2)

std::string_view charset_of(const PartFields& fields) {
    const std::string* charset = fields.parameter("charset");
    return charset == nullptr ? std::string_view{} : *charset;
}

// `source` is the body of the part, or its beginning.
std::string decoded_text(const Message& message, PartIndex i, std::string_view source, std::size_t limit) {
    const std::string_view charset = charset_of(message.fields(i));
    switch (message.part(i).encoding) {
        case TransferEncoding::base64:
        case TransferEncoding::quoted_printable:
            return to_utf8(decode_transfer(source, message.part(i).encoding), charset, limit);
        default:
            return to_utf8(source, charset, limit);
    }
}

std::string header_text(std::string_view header, std::size_t limit) {
    std::string out;
    HeaderReader reader(header);
    while (auto field = reader.next()) {
        if (out.size() >= limit) break;
        out.append(to_utf8(field->name));
        out += ": ";
        out += decode_encoded_words(unfold(field->body));
        out += "\r\n";
    }
    cut_utf8(out, limit);
    return out;
}

class TextWalk {
public:
    using Sink = std::function<bool(std::string_view, bool)>;
    TextWalk(const Message& message, const Sink& sink, const TextBounds& bounds)
        : message_(message), sink_(sink), bounds_(bounds), left_(bounds.total) {}

    bool run(TextScope scope) {
        for (PartIndex i = 0; i < message_.size(); ++i) {
            const Part& part = message_.part(i);
            const bool encapsulated =
                part.parent != kNoPart && message_.part(part.parent).kind == PartKind::message;
            const bool with_header = scope == TextScope::whole || encapsulated;
            if (with_header && !give(header_text(message_.header(i), limit()), encapsulated)) return false;
            const bool with_body = part.kind == PartKind::leaf && part.is_text;
            if (with_body && !give(decoded_text(message_, i, message_.body(i), limit()), true)) return false;
            if (left_ == 0) break;
        }
        return true;
    }

private:
    std::size_t limit() const { return std::min(bounds_.part, left_); }

    bool give(const std::string& piece, bool in_body) {
        left_ -= std::min(left_, piece.size());
        return piece.empty() || sink_(piece, in_body);
    }

    const Message& message_;
    const Sink& sink_;
    const TextBounds& bounds_;
    std::size_t left_;
};

}  // namespace

bool text_of_message(const Message& message, TextScope scope,
                     const std::function<bool(std::string_view)>& sink, const TextBounds& bounds) {
    const TextWalk::Sink walk_sink = [&](std::string_view piece, bool) { return sink(piece); };
    return TextWalk(message, walk_sink, bounds).run(scope);
}

bool text_of_message(const Message& message, const std::function<bool(std::string_view, bool)>& sink,
                     const TextBounds& bounds) {
    return TextWalk(message, sink, bounds).run(TextScope::whole);
}

bool message_contains(const Message& message, TextScope scope, std::string_view folded_pattern,
                      const TextBounds& bounds) {
    if (folded_pattern.empty()) return true;
    const auto differs = [&](std::string_view piece) {
        return fold_for_search(piece).find(folded_pattern) == std::string::npos;
    };
    return !text_of_message(message, scope, differs, bounds);
}

std::string part_text(const Message& message, PartIndex part, std::size_t limit) {
    return decoded_text(message, part, message.body(part), limit);
}

namespace {

// Collects words with single spaces between them, up to a number of characters.
class PreviewText {
public:
    explicit PreviewText(std::size_t characters) : left_(std::min(characters, kMaxPreview)) {}

    bool full() const { return left_ == 0; }

    void blank() { blank_ = !out_.empty(); }

    void put(char32_t c) {
        if (full()) return;
        // No-break space, zero-width characters and the soft hyphen pad newsletters.
        const bool invisible =
            (c >= 0x200B && c <= 0x200F) || c == 0xFEFF || c == 0x34F || c == 0xAD || c == 0x2060;
        if (invisible) return;
        if (c <= ' ' || c == 0xA0 || (c >= 0x7F && c < 0xA0) || (c >= 0x2000 && c <= 0x200A)) return blank();
        if (blank_) {
            out_ += ' ';
            blank_ = false;
            if (--left_ == 0) return;
        }
        append_character(out_, c == kBadCharacter ? 0xFFFD : c);
        --left_;
    }

    std::string take() {
        if (out_.ends_with(' ')) out_.pop_back();
        return std::move(out_);
    }

private:
    std::string out_;
    std::size_t left_;
    bool blank_ = false;
};

std::string plain_preview(std::string_view utf8, std::size_t characters) {
    PreviewText out(characters);
    for (std::size_t at = 0; at < utf8.size() && !out.full();) out.put(next_character(utf8, at));
    return out.take();
}

// "&" name ";" or "&#" number ";" at `at`, which is moved past it; a lone "&" stands for itself.
char32_t character_reference(std::string_view html, std::size_t& at) {
    constexpr std::pair<std::string_view, char32_t> kNames[] = {
        {"amp", '&'},      {"lt", '<'},       {"gt", '>'},       {"quot", '"'},     {"apos", '\''},
        {"nbsp", 0xA0},    {"shy", 0xAD},     {"zwnj", 0x200C},  {"zwj", 0x200D},   {"copy", 0xA9},
        {"reg", 0xAE},     {"euro", 0x20AC},  {"ndash", 0x2013}, {"mdash", 0x2014}, {"hellip", 0x2026},
        {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201C}, {"rdquo", 0x201D}, {"bull", 0x2022},
        {"middot", 0xB7},  {"auml", 0xE4},    {"ouml", 0xF6},    {"uuml", 0xFC},    {"Auml", 0xC4},
        {"Ouml", 0xD6},    {"Uuml", 0xDC},    {"szlig", 0xDF},   {"eacute", 0xE9},  {"egrave", 0xE8}};
    const std::size_t end = html.substr(at + 1, 10).find(';');
    if (end == std::string_view::npos) return static_cast<unsigned char>(html[at++]);
    const std::string_view name = html.substr(at + 1, end);
    char32_t c = 0;
    if (name.starts_with("#x") || name.starts_with("#X")) {
        std::uint32_t number = 0;
        std::from_chars(name.data() + 2, name.data() + name.size(), number, 16);
        c = number;
    } else if (name.starts_with('#')) {
        c = text::parse_number<std::uint32_t>(name.substr(1)).value_or(0);
    } else {
        for (const auto& [known, value] : kNames) {
            if (known == name) c = value;
        }
    }
    if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return static_cast<unsigned char>(html[at++]);
    at += end + 2;
    return c;
}

// Past the tag or comment at `at`; with what it holds, for elements that show no text.
std::size_t after_tag(std::string_view html, std::size_t at) {
    if (html.substr(at).starts_with("<!--")) {
        const std::size_t end = html.find("-->", at + 4);
        return end == std::string_view::npos ? html.size() : end + 3;
    }
    for (const std::string_view hidden : {"style", "script", "head", "title"}) {
        const std::string_view rest = html.substr(at + 1);
        const bool is_it = text::istarts_with(rest, hidden) && rest.size() > hidden.size() &&
                           !text::is_alpha(rest[hidden.size()]);
        if (!is_it) continue;
        const std::size_t end = text::ifind(rest, "</" + std::string(hidden));
        if (end == std::string_view::npos) return html.size();
        at += 1 + end;
        break;
    }
    const std::size_t end = html.find('>', at);
    return end == std::string_view::npos ? html.size() : end + 1;
}

// Elements that stand within a line do not part words.
bool is_inline_tag(std::string_view html, std::size_t at) {
    std::string_view name = html.substr(at + 1, 8);
    if (name.starts_with('/')) name.remove_prefix(1);
    name = name.substr(0, name.find_first_of(" \t\r\n/>"));
    for (const std::string_view known :
         {"a", "b", "i", "u", "em", "strong", "span", "font", "small", "code", "sub", "sup"}) {
        if (text::iequals(name, known)) return true;
    }
    return false;
}

std::string html_preview(std::string_view html, std::size_t characters) {
    PreviewText out(characters);
    for (std::size_t at = 0; at < html.size() && !out.full();) {
        if (html[at] == '<') {
            if (!is_inline_tag(html, at)) out.blank();
            at = after_tag(html, at);
        } else if (html[at] == '&') {
            out.put(character_reference(html, at));
        } else {
            out.put(next_character(html, at));
        }
    }
    return out.take();
}

// The first leaf of this kind that is not an attachment.
PartIndex first_text(const Message& message, std::string_view subtype) {
    for (PartIndex i = 0; i < message.size(); ++i) {
        const PartFields& fields = message.fields(i);
        const bool shown = message.part(i).kind == PartKind::leaf && fields.disposition != "attachment";
        if (shown && fields.is("text", subtype)) return i;
    }
    return kNoPart;
}

std::string source_of_preview(const Message& message, PartIndex part) {
    return decoded_text(message, part, message.body(part).substr(0, kPreviewSource), kPreviewSource);
}

}  // namespace

std::string preview(const Message& message, std::size_t characters) {
    if (const PartIndex plain = first_text(message, "plain"); plain != kNoPart) {
        std::string words = plain_preview(source_of_preview(message, plain), characters);
        if (!words.empty()) return words;
    }
    const PartIndex html = first_text(message, "html");
    return html == kNoPart ? std::string{} : html_preview(source_of_preview(message, html), characters);
}

}  // namespace mailstead::mime
