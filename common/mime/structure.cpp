#include "common/mime/structure.h"

#include <array>
#include <charconv>
#include <vector>

#include "common/base/text.h"
#include "common/mime/address_list.h"
#include "common/mime/charset.h"
#include "common/mime/encoded_word.h"
#include "common/mime/utf8.h"

namespace mailstead::mime {
namespace {

constexpr std::size_t kMaxFieldsJoined = 100;  // To, Cc or Bcc fields of one message that are read

// How a byte goes into a quoted string: as it is, behind a backslash, or not at all.
enum class Quoting : unsigned char { plain, escaped, impossible };

constexpr std::array<Quoting, 256> quoting_table() {
    std::array<Quoting, 256> table{};
    for (std::size_t i = 0x80; i < 256; ++i) table[i] = Quoting::impossible;
    for (const char c : {'\0', '\r', '\n'}) table[static_cast<unsigned char>(c)] = Quoting::impossible;
    for (const char c : {'"', '\\'}) table[static_cast<unsigned char>(c)] = Quoting::escaped;
    return table;
}
constexpr auto kQuoting = quoting_table();

Quoting quoting(char c) {
    return kQuoting[static_cast<unsigned char>(c)];
}

void write_number(std::string& out, std::uint64_t n) {
    char buffer[24];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, n).ptr;
    out.append(buffer, end);
}

void write_literal(std::string& out, std::string_view s) {
    out += '{';
    write_number(out, s.size());
    out += "}\r\n";
    out.append(s);
}

// quoted = DQUOTE *QUOTED-CHAR DQUOTE; false, and nothing written, when some byte is impossible.
bool write_quoted(std::string& out, std::string_view s) {
    const std::size_t begin = out.size();
    out += '"';
    std::size_t done = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
        const Quoting how = quoting(s[i]);
        if (how == Quoting::plain) continue;
        if (how == Quoting::impossible) {
            out.resize(begin);
            return false;
        }
        out.append(s.substr(done, i - done));
        out += '\\';
        done = i;
    }
    out.append(s.substr(done));
    out += '"';
    return true;
}

// One ENVELOPE or BODY in the making.
class Writer {
public:
    Writer(std::string& out, const Message& message, ClientText text)
        : out_(out), message_(message), text_(text) {}

    bool same_for_both() const { return same_; }

    // envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP
    // env-bcc SP
    //            env-in-reply-to SP env-message-id ")"   (RFC 9051, 9)
    void envelope(PartIndex part) {
        EnvelopeFields fields;
        collect(message_.header(part), fields);
        out_ += '(';
        raw_nstring(fields.date, Fallback::question_mark);
        out_ += ' ';
        raw_nstring(fields.subject, Fallback::encoded_word);
        out_ += ' ';
        const std::size_t from = out_.size();
        addresses({&fields.from, 1});
        const std::size_t from_size = out_.size() - from;
        addresses_or_from(fields.sender, from, from_size);
        addresses_or_from(fields.reply_to, from, from_size);
        for (const auto* list : {&fields.to, &fields.cc, &fields.bcc}) {
            out_ += ' ';
            addresses(*list);
        }
        out_ += ' ';
        raw_nstring(fields.in_reply_to, Fallback::question_mark);
        out_ += ' ';
        raw_nstring(fields.message_id, Fallback::question_mark);
        out_ += ')';
    }

    // body = "(" (body-type-1part / body-type-mpart) ")"
    void body(PartIndex i, bool extended) {
        out_ += '(';
        if (message_.part(i).kind == PartKind::multipart) {
            multipart(i, extended);
        } else {
            single_part(i, extended);
        }
        out_ += ')';
    }

private:
    // What becomes of 8-bit bytes for a client that takes ASCII alone.
    enum class Fallback { encoded_word, phrase, question_mark };

    struct EnvelopeFields {
        std::string_view date, subject, from, sender, reply_to, in_reply_to, message_id;
        std::vector<std::string_view> to, cc, bcc;
    };

    static void collect(std::string_view header, EnvelopeFields& fields) {
        const auto first = [](std::string_view& kept, const HeaderField& field) {
            if (kept.data() == nullptr) kept = field.body;
        };
        // RFC 5322, 4.5.3: destination fields given several times are one list.
        const auto all = [](std::vector<std::string_view>& kept, const HeaderField& field) {
            if (kept.size() < kMaxFieldsJoined) kept.push_back(field.body);
        };
        HeaderReader reader(header);
        while (const auto field = reader.next()) {
            switch (field->name.size()) {
                case 2:
                    if (field->is("to")) all(fields.to, *field);
                    if (field->is("cc")) all(fields.cc, *field);
                    break;
                case 3:
                    if (field->is("bcc")) all(fields.bcc, *field);
                    break;
                case 4:
                    if (field->is("date")) first(fields.date, *field);
                    if (field->is("from")) first(fields.from, *field);
                    break;
                case 6:
                    if (field->is("sender")) first(fields.sender, *field);
                    break;
                case 7:
                    if (field->is("subject")) first(fields.subject, *field);
                    break;
                case 8:
                    if (field->is("reply-to")) first(fields.reply_to, *field);
                    break;
                case 10:
                    if (field->is("message-id")) first(fields.message_id, *field);
                    break;
                case 11:
                    if (field->is("in-reply-to")) first(fields.in_reply_to, *field);
                    break;
                default:
                    break;
            }
        }
    }

    void nil() { out_ += "NIL"; }

    // A string of the message, unfolded and without blanks around it.
    void string(std::string_view s, Fallback fallback) {
        if (write_quoted(out_, s)) return;
        if (s.find('\0') != std::string_view::npos) {
            std::string without(s);
            for (char& c : without) {
                if (c == '\0') c = '?';
            }
            return string(without, fallback);
        }
        if (is_all_ascii(s)) return write_literal(out_, s);
        same_ = false;
        const std::string utf8 = to_utf8(s);
        if (text_ == ClientText::utf8) return write_string(out_, utf8);
        if (fallback == Fallback::question_mark) return string(without_8bit(s), fallback);
        string(encode_words(utf8, fallback == Fallback::phrase ? WordPlace::phrase : WordPlace::text),
               fallback);
    }

    static std::string without_8bit(std::string_view s) {
        std::string out(s);
        for (char& c : out) {
            if (static_cast<unsigned char>(c) >= 0x80) c = '?';
        }
        return out;
    }

    void nstring(std::string_view s, Fallback fallback) {
        if (s.empty()) return nil();
        string(s, fallback);
    }

    // From a raw field body; NIL when the field is absent, "" when it is empty (RFC 9051, 7.5.2).
    void raw_nstring(std::string_view body, Fallback fallback) {
        if (body.data() == nullptr) return nil();
        const std::string_view trimmed = text::trim(body);
        if (trimmed.find('\n') == std::string_view::npos && trimmed.size() <= kMaxFieldValue)
            return string(trimmed, fallback);
        string(unfold(body), fallback);
    }

    // "(" 1*address ")" / nil
    void addresses(std::span<const std::string_view> bodies) {
        const std::size_t begin = out_.size();
        out_ += '(';
        for (const std::string_view body : bodies) {
            AddressListReader reader(body);
            while (reader.next(entry_)) address(entry_);
        }
        if (out_.size() == begin + 1) {
            out_.resize(begin);
            return nil();
        }
        out_ += ')';
    }

    // RFC 9051, 7.5.2: Sender and Reply-To that are absent or empty are the same as From.
    void addresses_or_from(std::string_view body, std::size_t from, std::size_t from_size) {
        out_ += ' ';
        const std::size_t begin = out_.size();
        addresses({&body, 1});
        if (std::string_view(out_).substr(begin) != "NIL") return;
        out_.resize(begin);
        out_.reserve(begin + from_size);
        out_.append(out_, from, from_size);
    }

    // address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"; NIL as host marks groups.
    void address(const ListedAddress& entry) {
        switch (entry.kind) {
            case ListedAddress::Kind::group_end:
                out_ += "(NIL NIL NIL NIL)";
                return;
            case ListedAddress::Kind::group_start:
                out_ += "(NIL NIL ";
                string(entry.name, Fallback::phrase);
                out_ += " NIL)";
                return;
            case ListedAddress::Kind::mailbox:
                break;
        }
        out_ += '(';
        nstring(entry.name, Fallback::phrase);
        out_ += ' ';
        nstring(entry.route, Fallback::question_mark);
        out_ += ' ';
        string(entry.local, Fallback::question_mark);
        out_ += ' ';
        host(entry.domain);
        out_ += ')';
    }

    // A name in UTF-8 has an ASCII spelling of its own.
    void host(std::string_view domain) {
        if (text_ == ClientText::ascii && !is_all_ascii(domain)) {
            same_ = false;
            if (const auto parsed = Domain::parse(domain))
                return string(parsed->ascii(), Fallback::question_mark);
        }
        string(domain, Fallback::question_mark);
    }

    // body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
    void multipart(PartIndex i, bool extended) {
        const PartFields& fields = message_.fields(i);
        for (PartIndex child = message_.part(i).first_child; child != kNoPart;
             child = message_.part(child).next_sibling) {
            body(child, extended);
        }
        out_ += ' ';
        string(fields.subtype, Fallback::question_mark);
        if (!extended) return;
        out_ += ' ';
        parameters(fields.parameters);
        out_ += ' ';
        extension_end(fields);
    }

    // body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
    void single_part(PartIndex i, bool extended) {
        const Part& part = message_.part(i);
        const PartFields& fields = message_.fields(i);
        string(fields.type, Fallback::question_mark);
        out_ += ' ';
        string(fields.subtype, Fallback::question_mark);
        out_ += ' ';
        if (fields.parameters.empty() && fields.is("text", "plain")) {
            out_ += R"(("charset" "us-ascii"))";  // RFC 2045, 5.2
        } else {
            parameters(fields.parameters);
        }
        out_ += ' ';
        raw_nstring(fields.id, Fallback::question_mark);
        out_ += ' ';
        raw_nstring(fields.description, Fallback::encoded_word);
        out_ += ' ';
        string(fields.encoding.empty() ? std::string_view("7bit") : std::string_view(fields.encoding),
               Fallback::question_mark);
        out_ += ' ';
        write_number(out_, part.size());
        if (part.kind == PartKind::message) {
            out_ += ' ';
            envelope(part.first_child);
            out_ += ' ';
            body(part.first_child, extended);
        }
        if (part.kind == PartKind::message || part.is_text) {
            out_ += ' ';
            write_number(out_, part.lines);
        }
        if (!extended) return;
        out_ += ' ';
        raw_nstring(fields.md5, Fallback::question_mark);
        out_ += ' ';
        extension_end(fields);
    }

    // body-fld-dsp SP body-fld-lang SP body-fld-loc
    void extension_end(const PartFields& fields) {
        if (fields.disposition.empty()) {
            nil();
        } else {
            out_ += '(';
            string(fields.disposition, Fallback::question_mark);
            out_ += ' ';
            parameters(fields.disposition_parameters);
            out_ += ')';
        }
        out_ += ' ';
        languages(fields.language);
        out_ += ' ';
        raw_nstring(fields.location, Fallback::question_mark);
    }

    void languages(std::string_view body) {
        const auto tags = body.data() == nullptr ? std::vector<std::string>{} : parse_languages(body);
        if (tags.empty()) return nil();
        char before = '(';
        for (const std::string& tag : tags) {
            out_ += before;
            string(tag, Fallback::question_mark);
            before = ' ';
        }
        out_ += ')';
    }

    // body-fld-param = "(" string SP string *(SP string SP string) ")" / nil
    void parameters(const std::vector<Parameter>& parameters) {
        if (parameters.empty()) return nil();
        char before = '(';
        for (const Parameter& parameter : parameters) {
            out_ += before;
            before = ' ';
            one_parameter(parameter);
        }
        out_ += ')';
    }

    void one_parameter(const Parameter& parameter) {
        const bool ascii = is_all_ascii(parameter.value);
        if (!parameter.extended && ascii) {
            string(parameter.name, Fallback::question_mark);
            out_ += ' ';
            return string(parameter.value, Fallback::question_mark);
        }
        same_ = false;
        // RFC 9051, 7.5.2: what came with a charset is given decoded, as "name*". Others get it as RFC 2231
        // has it.
        if (text_ == ClientText::utf8) {
            string(parameter.extended ? parameter.name + '*' : parameter.name, Fallback::question_mark);
            out_ += ' ';
            return string(parameter.value, Fallback::question_mark);
        }
        string(parameter.name + '*', Fallback::question_mark);
        out_ += ' ';
        write_string(out_, percent_encoded(parameter.extended ? parameter.value : to_utf8(parameter.value)));
    }

    // initial-section with attribute-char as it is (RFC 2231, 7)
    static std::string percent_encoded(std::string_view utf8) {
        constexpr char kHex[] = "0123456789ABCDEF";
        std::string out = "utf-8''";
        for (const char c : utf8) {
            const auto byte = static_cast<unsigned char>(c);
            if (text::is_alpha(c) || text::is_digit(c) || c == '.' || c == '-' || c == '_' || c == '+') {
                out += c;
            } else {
                out += '%';
                out += kHex[byte >> 4];
                out += kHex[byte & 15];
            }
        }
        return out;
    }

    std::string& out_;
    const Message& message_;
    ClientText text_;
    bool same_ = true;
    ListedAddress entry_;  // its strings keep their room from one address to the next
};

}  // namespace

void write_string(std::string& out, std::string_view s) {
    if (write_quoted(out, s)) return;
    const bool quotable =
        s.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos && text::is_utf8(s);
    if (!quotable) return write_literal(out, s);
    out += '"';
    for (const char c : s) {
        if (quoting(c) == Quoting::escaped) out += '\\';
        out += c;
    }
    out += '"';
}

bool write_envelope(std::string& out, const Message& message, ClientText text, PartIndex message_part) {
    Writer writer(out, message, text);
    writer.envelope(message_part);
    return writer.same_for_both();
}

bool write_body(std::string& out, const Message& message, ClientText text, PartIndex part) {
    Writer writer(out, message, text);
    writer.body(part, false);
    return writer.same_for_both();
}

bool write_bodystructure(std::string& out, const Message& message, ClientText text, PartIndex part) {
    Writer writer(out, message, text);
    writer.body(part, true);
    return writer.same_for_both();
}

}  // namespace mailstead::mime
