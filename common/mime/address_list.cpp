#include "common/mime/address_list.h"

#include "common/base/text.h"
#include "common/mime/charset.h"
#include "common/mime/encoded_word.h"

namespace mailstead::mime {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// What ends a run of ordinary characters. "[" and "]" are let through in names, since mailing lists put them
// there.
bool is_special(char c) {
    constexpr std::string_view kSpecials = "()<>:;@\\,\".";
    return is_blank(c) || kSpecials.find(c) != std::string_view::npos;
}

// DQUOTE with the quoted pairs that it needs (RFC 5322, 3.2.4).
std::string quoted(std::string_view s) {
    std::string out = "\"";
    for (const char c : s) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
    return out;
}

bool is_phrase_of_atoms(std::string_view s) {
    for (const char c : s) {
        const bool atom = text::is_alpha(c) || text::is_digit(c) ||
                          std::string_view("!#$%&'*+-/=?^_`{|}~ ").find(c) != std::string_view::npos;
        if (!atom) return false;
    }
    return !s.starts_with(' ') && !s.ends_with(' ');
}

}  // namespace

std::string ListedAddress::decoded_name() const {
    return decode_encoded_words(name);
}

std::optional<Address> ListedAddress::address() const {
    if (kind != Kind::mailbox || local.empty()) return std::nullopt;
    auto parsed_local = LocalPart::parse(quoted(local));
    auto parsed_domain = Domain::parse(domain);
    if (!parsed_local || !parsed_domain) return std::nullopt;
    return Address(std::move(*parsed_local), std::move(*parsed_domain));
}

// CFWS; the text of the last comment is kept, since it may be the name of an address without one (RFC
// 5322, 3.4, end).
void AddressListReader::skip_blanks() {
    while (at_ < text_.size()) {
        if (is_blank(text_[at_])) {
            ++at_;
            continue;
        }
        if (text_[at_] != '(') return;
        comment_.clear();
        int depth = 0;
        while (at_ < text_.size()) {
            char c = text_[at_++];
            if (c == ')' && --depth == 0) break;
            if (c == '(' && ++depth == 1) continue;
            if (c == '\\' && at_ < text_.size()) c = text_[at_++];
            if (c != '\r' && c != '\n') comment_ += c;
        }
    }
}

// word = atom / quoted-string, unquoted; also the dots between words.
void AddressListReader::read_word(std::string& out) {
    if (text_[at_] == '.') {
        out += text_[at_++];
        return;
    }
    if (text_[at_] == '"') {
        ++at_;
        while (at_ < text_.size() && text_[at_] != '"') {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
            if (text_[at_] != '\r' && text_[at_] != '\n') out += text_[at_];
            ++at_;
        }
        if (at_ < text_.size()) ++at_;
        return;
    }
    if (text_[at_] == '\\') {
        if (++at_ < text_.size()) out += text_[at_++];
        return;
    }
    while (at_ < text_.size() && !is_special(text_[at_])) out += text_[at_++];
}

namespace {

// dot-atom / domain-literal, blanks and comments dropped; a second "@" stays in, so that such a domain is no
// domain.
bool is_in_domain(char c) {
    return !is_special(c) || c == '.' || c == '@';
}

}  // namespace

// "<" [obs-route] addr-spec ">"
void AddressListReader::read_angle(ListedAddress& entry) {
    while (at_ < text_.size() && (text_[at_] == '<' || is_blank(text_[at_]))) ++at_;
    skip_blanks();
    // obs-route = "@" domain *( "," "@" domain ) ":"   (RFC 5322, 4.4)
    if (at_ < text_.size() && text_[at_] == '@') {
        while (at_ < text_.size() && text_[at_] != ':' && text_[at_] != '>') {
            if (!is_blank(text_[at_])) entry.route += text_[at_];
            ++at_;
        }
        if (at_ < text_.size() && text_[at_] == ':') ++at_;
    }
    bool in_domain = false;
    while (at_ < text_.size()) {
        skip_blanks();
        if (at_ >= text_.size()) return;
        const char c = text_[at_];
        if (c == '>') {
            ++at_;
            return;
        }
        if (c == ',' || c == ';' || c == '<') return;
        if (c == '@' && !in_domain) {
            in_domain = true;
            ++at_;
        } else if (in_domain) {
            entry.domain += c;
            ++at_;
        } else if (is_special(c) && c != '.' && c != '"' && c != '\\') {
            entry.local += c;
            ++at_;
        } else {
            read_word(entry.local);
        }
    }
}

// address = mailbox / group; true when there is something to report.
bool AddressListReader::read_mailbox_or_group(ListedAddress& entry) {
    const std::size_t begin = at_;
    bool in_domain = false;
    comment_.clear();
    while (at_ < text_.size()) {
        const std::size_t before = at_;
        skip_blanks();
        if (at_ >= text_.size()) break;
        const char c = text_[at_];
        if (c == ',' || c == ';') break;
        if (c == '<') {
            // An address for a name (`a@b.example <a@b.example>`) is kept as it stands.
            if (in_domain) entry.name.assign(text::trim(text_.substr(begin, at_ - begin)));
            entry.local.clear();
            entry.domain.clear();
            read_angle(entry);
            // What stands between ">" and the next separator is junk.
            while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != ';' && text_[at_] != '<') {
                if (text_[at_] == '"') {
                    std::string junk;
                    read_word(junk);
                } else if (text_[at_] == '(') {
                    skip_blanks();
                } else {
                    ++at_;
                }
            }
            return !entry.name.empty() || !entry.local.empty() || !entry.domain.empty();
        }
        if (c == ':' && !in_group_ && !in_domain && !entry.name.empty()) {
            ++at_;
            in_group_ = true;
            entry.kind = ListedAddress::Kind::group_start;
            entry.local.clear();
            return true;
        }
        if (c == '@' && !in_domain) {
            in_domain = true;
            ++at_;
        } else if (in_domain) {
            // Words after the domain are junk, apart from a "<" that makes all this a name.
            const bool new_word =
                at_ > before && !entry.domain.empty() && !entry.domain.ends_with('.') && c != '.';
            if (new_word || !(is_in_domain(c) || (c == ':' && entry.domain.starts_with('[')))) {
                ++at_;
                while (at_ < text_.size() && !is_special(text_[at_])) ++at_;
            } else {
                entry.domain += c;
                ++at_;
            }
        } else if (c == ':' || c == '>' || c == ')') {
            ++at_;
        } else {
            const bool spaced = at_ > before && !entry.name.empty();
            if (spaced) entry.name += ' ';
            const std::size_t size = entry.name.size();
            read_word(entry.name);
            entry.local.append(entry.name, size);
        }
    }
    if (!in_domain && entry.name.find(' ') != std::string::npos) entry.local = entry.name;
    entry.name = std::move(comment_);
    comment_.clear();
    return !entry.local.empty() || !entry.domain.empty();
}

// address-list, group-list: entries between commas, of which some may be empty (RFC 5322, 3.4 and 4.4)
bool AddressListReader::next(ListedAddress& entry) {
    while (true) {
        entry.kind = ListedAddress::Kind::mailbox;
        entry.name.clear();
        entry.route.clear();
        entry.local.clear();
        entry.domain.clear();
        skip_blanks();
        const bool over = at_ >= text_.size() || count_ >= kMaxListedAddresses;
        if (over || text_[at_] == ';') {
            if (!over) ++at_;
            if (in_group_) {
                in_group_ = false;
                entry.kind = ListedAddress::Kind::group_end;
                return true;
            }
            if (over) return false;
            continue;
        }
        if (text_[at_] == ',') {
            ++at_;
            continue;
        }
        if (read_mailbox_or_group(entry)) {
            ++count_;
            return true;
        }
    }
}

std::vector<ListedAddress> parse_address_list(std::string_view body) {
    std::vector<ListedAddress> out;
    AddressListReader reader(body);
    ListedAddress entry;
    while (reader.next(entry)) out.push_back(entry);
    return out;
}

std::vector<ListedAddress> parse_mailboxes(std::string_view body) {
    std::vector<ListedAddress> out;
    AddressListReader reader(body);
    ListedAddress entry;
    while (reader.next(entry)) {
        if (entry.kind == ListedAddress::Kind::mailbox) out.push_back(entry);
    }
    return out;
}

std::string write_mailbox(std::string_view utf8_name, const Address& address) {
    const std::string spelled = address.is_ascii() ? address.to_string() : address.unicode();
    if (utf8_name.empty()) return spelled;
    std::string name;
    for (const char c : to_utf8(utf8_name))
        name += static_cast<unsigned char>(c) < ' ' || c == 0x7F ? ' ' : c;
    std::string phrase = encode_words(name, WordPlace::phrase);
    if (phrase == name && !is_phrase_of_atoms(name)) phrase = quoted(name);
    return phrase + " <" + spelled + ">";
}

}  // namespace mailstead::mime
