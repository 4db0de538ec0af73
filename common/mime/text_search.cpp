#include "common/mime/text_search.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/mime/charset.h"
#include "common/mime/encoded_word.h"
#include "common/mime/headers.h"
#include "common/mime/message.h"
#include "common/mime/parameters.h"
#include "common/mime/utf8.h"

namespace mailstead::mime {
namespace {

// Beyond this many bytes of headers and text parts the bounds on decoded text may cut something off; no
// charset makes more than a dozen bytes of UTF-8 out of one.
constexpr std::uint64_t kNeverCut = TextBounds{}.part / 12;

std::string_view longest_word(std::string_view pattern) {
    std::string_view longest;
    while (true) {
        const std::size_t end = std::min(pattern.find_first_of(" \t\r\n:"), pattern.size());
        if (end > longest.size()) longest = pattern.substr(0, end);
        if (end == pattern.size()) return longest;
        pattern.remove_prefix(end + 1);
    }
}

// Charsets in which ASCII bytes stand for themselves, each of them, wherever they are. Multibyte ones are not
// here: their second bytes can be ASCII.
bool keeps_ascii(std::string_view charset) {
    for (const std::string_view known : {"", "us-ascii", "utf-8", "utf8", "ascii", "koi8-r", "koi8-u"}) {
        if (text::iequals(charset, known)) return true;
    }
    for (const std::string_view family : {"iso-8859-", "windows-125"}) {
        if (text::istarts_with(charset, family) && charset.size() <= family.size() + 2 &&
            charset.size() > family.size() && text::is_digit(charset.back()))
            return true;
    }
    return false;
}

class Finder {
public:
    Finder(std::string_view bytes, const PartTree& tree, const TextPattern& pattern)
        : bytes_(bytes), tree_(tree), pattern_(pattern) {}

    bool run(TextScope scope) const {
        for (PartIndex i = 0; i < tree_.size(); ++i) {
            const Part& part = tree_[i];
            if (shows_header(part, scope) && in_header(header(part))) return true;
            if (part.kind == PartKind::leaf && part.is_text && in_body(part)) return true;
        }
        return false;
    }

    // Bytes of all that run() may look at.
    std::uint64_t extent() const {
        std::uint64_t size = 0;
        for (const Part& part : tree_.parts()) {
            size += part.body_begin - part.header_begin;
            if (part.kind == PartKind::leaf && part.is_text) size += part.size();
        }
        return size;
    }

private:
    bool shows_header(const Part& part, TextScope scope) const {
        const bool encapsulated = part.parent != kNoPart && tree_[part.parent].kind == PartKind::message;
        return scope == TextScope::whole || encapsulated;
    }

    std::string_view view(std::uint64_t begin, std::uint64_t end) const {
        return bytes_.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    }
    std::string_view header(const Part& part) const { return view(part.header_begin, part.body_begin); }

    // A field's line as message_text.cpp writes it: Name ": " decoded body CRLF.
    bool in_header(std::string_view header) const {
        const bool plain = is_all_ascii(header) && !has_encoded_word(header);
        if (plain && (!pattern_.is_ascii() || !pattern_.can_be_in_plain_header(header))) return false;
        std::string lines;
        HeaderReader reader(header);
        while (const auto field = reader.next()) {
            if (!pattern_.has_line_end()) lines.clear();
            const bool plain_field = is_all_ascii(field->raw) && !has_encoded_word(field->raw);
            if (!pattern_.has_line_end() && plain_field &&
                (!pattern_.is_ascii() || !pattern_.can_be_in_plain_header(field->raw)))
                continue;
            lines += to_utf8(field->name);
            lines += ": ";
            lines += decode_encoded_words(unfold(field->body));
            lines += "\r\n";
            if (!pattern_.has_line_end() && pattern_.is_in(lines)) return true;
        }
        return pattern_.has_line_end() && pattern_.is_in(lines);
    }

    bool in_body(const Part& part) const {
        const std::string_view body = view(part.body_begin, part.body_end);
        if (body.empty()) return false;
        const std::string charset = charset_of(part);
        const bool encoded =
            part.encoding == TransferEncoding::base64 || part.encoding == TransferEncoding::quoted_printable;
        const bool keeps = keeps_ascii(charset);
        if (!encoded && keeps && is_all_ascii(body))
            return pattern_.is_ascii() && text::ifind(body, pattern_.folded()) != std::string_view::npos;
        if (!encoded) return pattern_.is_in(to_utf8(body, charset));
        const std::string decoded = decode_transfer(body, part.encoding);
        if (keeps && is_all_ascii(decoded))
            return pattern_.is_ascii() && text::ifind(decoded, pattern_.folded()) != std::string_view::npos;
        return pattern_.is_in(to_utf8(decoded, charset));
    }

    // As Message has it: a multipart that came to be text has no parameters.
    std::string charset_of(const Part& part) const {
        HeaderReader reader(header(part));
        while (const auto field = reader.next()) {
            if (!field->is("Content-Type")) continue;
            const ParameterizedValue type = parse_parameterized(field->body);
            if (!text::istarts_with(type.value, "text/") || type.value.size() == 5) return {};
            const std::string* charset = find_parameter(type.parameters, "charset");
            return charset == nullptr ? std::string() : *charset;
        }
        return {};
    }

    std::string_view bytes_;
    const PartTree& tree_;
    const TextPattern& pattern_;
};

}  // namespace

TextPattern::TextPattern(std::string folded)
    : folded_(std::move(folded)),
      longest_word_(longest_word(folded_)),
      is_ascii_(is_all_ascii(folded_)),
      has_line_end_(folded_.find_first_of("\r\n") != std::string::npos) {}

bool TextPattern::is_in(std::string_view utf8) const {
    if (is_all_ascii(utf8)) return is_ascii_ && text::ifind(utf8, folded_) != std::string_view::npos;
    return fold_for_search(utf8).find(folded_) != std::string::npos;
}

bool TextPattern::can_be_in_plain_header(std::string_view header) const {
    return text::ifind(header, longest_word_) != std::string_view::npos;
}

bool text_contains(std::string_view bytes, const PartTree& tree, TextScope scope,
                   const TextPattern& pattern) {
    if (pattern.empty()) return true;
    const Finder finder(bytes, tree, pattern);
    if (finder.extent() > kNeverCut) return message_contains(Message::parse(bytes), scope, pattern.folded());
    return finder.run(scope);
}

}  // namespace mailstead::mime
