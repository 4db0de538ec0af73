#include "imapd/pop3/core/surrogate.h"

#include <algorithm>
#include <array>

#include "common/base/text.h"
#include "common/mime/address_list.h"
#include "common/mime/encoded_word.h"
#include "common/mime/headers.h"
#include "common/mime/message.h"

namespace mailstead::imapd::pop3 {
namespace {

using mime::HeaderField;
using mime::ListedAddress;
using mime::WordPlace;

template <std::size_t N>
bool is_one_of(const HeaderField& field, const std::array<std::string_view, N>& names) {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return field.is(name); });
}

// RFC 6858, 2.1
constexpr std::array<std::string_view, 13> kAddressFields{
    "From",      "Sender",        "Reply-To",        "To",        "Cc",         "Bcc",        "Resent-From",
    "Resent-To", "Resent-Sender", "Resent-Reply-To", "Resent-Cc", "Resent-Bcc", "Return-Path"};
// Unstructured text, which encoded words can carry (RFC 6858, 2.3).
constexpr std::array<std::string_view, 4> kTextFields{"Subject", "Comments", "Content-Description",
                                                      "Thread-Topic"};
constexpr std::array<std::string_view, 2> kParameterFields{"Content-Type", "Content-Disposition"};

// Where an address would stand that cannot be shown: mail to it goes nowhere (RFC 6761, 6.4).
constexpr std::string_view kNowhere = "<not.shown@internationalized-address.invalid>";
constexpr std::size_t kMaxName = 256;

// Folded at blanks, so that no line is longer than 998 bytes (RFC 5322, 2.1.1); encoded words come with
// blanks.
void append_folded(std::string& out, std::string_view text) {
    constexpr std::size_t kWanted = 76;
    std::size_t column = out.size() - (out.rfind('\n') == std::string::npos ? 0 : out.rfind('\n') + 1);
    while (!text.empty()) {
        const std::size_t blank = text.find(' ', 1);
        const std::string_view word = text.substr(0, blank);
        if (column + word.size() > kWanted && word.front() == ' ') {
            out += "\r\n";
            column = 0;
        }
        out += word;
        column += word.size();
        text.remove_prefix(word.size());
    }
}

std::string phrase(std::string_view utf8) {
    return mime::encode_words(utf8.substr(0, kMaxName), WordPlace::phrase);
}

std::string quoted(std::string_view ascii) {
    std::string out = "\"";
    for (const char c : ascii) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

void append_mailbox(std::string& out, const ListedAddress& entry) {
    const std::string name = entry.decoded_name();
    const bool showable = text::is_ascii(entry.local) && text::is_ascii(entry.domain);
    if (showable) {
        const auto address = entry.address();
        if (address) {
            out += mime::write_mailbox(name, *address);
            return;
        }
    }
    // RFC 6858, 2.1: the name tells the user whose address it was.
    std::string shown = name;
    if (shown.empty()) shown = entry.domain.empty() ? entry.local : entry.local + '@' + entry.domain;
    out += text::is_ascii(shown) ? quoted(shown) : phrase(shown);
    out += ' ';
    out += kNowhere;
}

std::string addresses(std::string_view body) {
    mime::AddressListReader reader(body);
    ListedAddress entry;
    std::string out;
    bool first = true;
    while (reader.next(entry)) {
        if (entry.kind == ListedAddress::Kind::group_end) {
            out += ';';
            first = false;
            continue;
        }
        if (!first) out += ", ";
        first = entry.kind == ListedAddress::Kind::group_start;
        if (first) {
            const std::string name = entry.decoded_name();
            out += (text::is_ascii(name) ? quoted(name) : phrase(name)) + ": ";
        } else {
            append_mailbox(out, entry);
        }
    }
    return out;
}

// RFC 6858, 2.2: parameters that are not ASCII go. A semicolon inside quotes ends none.
std::string without_foreign_parameters(std::string_view body) {
    std::string out;
    std::size_t begin = 0;
    bool in_quotes = false;
    for (std::size_t i = 0; i <= body.size(); ++i) {
        const bool end = i == body.size() || (body[i] == ';' && !in_quotes);
        if (!end) {
            if (body[i] == '\\' && in_quotes && i + 1 < body.size()) {
                ++i;
            } else if (body[i] == '"') {
                in_quotes = !in_quotes;
            }
            continue;
        }
        const std::string_view piece = body.substr(begin, i - begin);
        if (text::is_ascii(piece)) {
            if (begin != 0) out += ';';
            out += piece;
        } else if (begin == 0) {
            return {};
        }
        begin = i + 1;
    }
    return out;
}

void append_field(std::string& out, const HeaderField& field) {
    if (text::is_ascii(field.raw)) {
        out += field.raw;
        return;
    }
    if (!text::is_ascii(field.name)) return;
    std::string body;
    if (is_one_of(field, kAddressFields)) {
        body = addresses(field.body);
    } else if (is_one_of(field, kTextFields)) {
        body = mime::encode_words(mime::decode_encoded_words(field.value()), WordPlace::text);
    } else if (is_one_of(field, kParameterFields)) {
        body = without_foreign_parameters(field.value());
    }
    // RFC 6858, 2.4: what has no other form is left out.
    if (body.empty() || !text::is_ascii(body)) return;
    out += field.name;
    out += ':';
    append_folded(out, ' ' + std::string(text::trim(body)));
    out += "\r\n";
}

}  // namespace

std::string surrogate_header(std::string_view header) {
    std::string out;
    out.reserve(header.size());
    mime::HeaderReader reader(header);
    while (const auto field = reader.next()) append_field(out, *field);
    // The blank line, where there is one.
    if (header.ends_with("\n\r\n") || header.ends_with("\n\n")) out += "\r\n";
    return out;
}

std::vector<Replacement> surrogate_headers(std::string_view bytes) {
    std::vector<Replacement> out;
    const mime::Message message = mime::Message::parse(bytes);
    if (message.is_ascii()) return out;
    for (mime::PartIndex i = 0; i < message.size(); ++i) {
        const std::string_view header = message.header(i);
        if (text::is_ascii(header)) continue;
        const mime::Part& part = message.part(i);
        out.push_back({{part.header_begin, part.body_begin}, surrogate_header(header)});
    }
    std::sort(out.begin(), out.end(),
              [](const Replacement& a, const Replacement& b) { return a.range.begin < b.range.begin; });
    return out;
}

}  // namespace mailstead::imapd::pop3
