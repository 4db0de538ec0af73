#include "common/address/mailbox_name.h"

#include "common/address/modified_utf7.h"
#include "common/base/text.h"

namespace mailstead {
namespace {

constexpr std::size_t kMaxName = 1000;
constexpr std::size_t kMaxLevels = 32;
constexpr std::string_view kInbox = "INBOX";

std::optional<ParseError> check_level(std::string_view level, std::size_t offset) {
    if (level.empty()) return ParseError{"mailbox name has an empty level", offset};
    if (level == "." || level == "..")
        return ParseError{"mailbox name has a level that is \".\" or \"..\"", offset};
    for (const char c : level) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            return ParseError{"control character in a mailbox name", offset};
        }
    }
    return std::nullopt;
}

}  // namespace

Parsed<MailboxName> MailboxName::parse(std::string_view utf8) {
    if (utf8.size() > 1 && utf8.back() == kSeparator) utf8.remove_suffix(1);
    if (utf8.empty()) return ParseError{"mailbox name is empty", 0};
    if (utf8.size() > kMaxName) return ParseError{"mailbox name is longer than 1000 bytes", kMaxName};
    if (!text::is_utf8(utf8)) return ParseError{"mailbox name is not UTF-8", 0};
    std::size_t offset = 0;
    std::size_t count = 0;
    while (offset <= utf8.size()) {
        const std::size_t end = std::min(utf8.find(kSeparator, offset), utf8.size());
        if (const auto error = check_level(utf8.substr(offset, end - offset), offset)) return *error;
        if (++count > kMaxLevels) return ParseError{"mailbox name has more than 32 levels", offset};
        offset = end + 1;
    }
    std::string name(utf8);
    const std::size_t first = std::min(name.find(kSeparator), name.size());
    if (text::iequals(std::string_view(name).substr(0, first), kInbox)) name.replace(0, first, kInbox);
    return MailboxName(std::move(name));
}

Parsed<MailboxName> MailboxName::parse_modified_utf7(std::string_view text) {
    if (!text::is_ascii(text)) return parse(text);
    const auto decoded = decode_modified_utf7(text);
    return parse(decoded ? std::string_view(*decoded) : text);
}

MailboxName MailboxName::inbox() {
    return MailboxName(std::string(kInbox));
}

std::string MailboxName::modified_utf7() const {
    return encode_modified_utf7(name_);
}

bool MailboxName::is_inbox() const {
    return name_ == kInbox;
}

std::optional<MailboxName> MailboxName::parent() const {
    const std::size_t end = name_.rfind(kSeparator);
    if (end == std::string::npos) return std::nullopt;
    return MailboxName(name_.substr(0, end));
}

std::string_view MailboxName::leaf() const {
    return std::string_view(name_).substr(name_.rfind(kSeparator) + 1);
}

std::vector<std::string_view> MailboxName::levels() const {
    std::vector<std::string_view> out;
    std::string_view rest = name_;
    while (!rest.empty()) out.push_back(text::next_field(rest, kSeparator));
    return out;
}

bool MailboxName::is_below(const MailboxName& ancestor) const {
    return name_.size() > ancestor.name_.size() && name_.starts_with(ancestor.name_) &&
           name_[ancestor.name_.size()] == kSeparator;
}

Parsed<MailboxName> MailboxName::rebased(const MailboxName& from, const MailboxName& to) const {
    return parse(to.name_ + name_.substr(from.name_.size()));
}

}  // namespace mailstead
