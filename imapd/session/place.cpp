#include "imapd/session/place.h"

namespace mailstead::imapd {
namespace {

// Where the address at the start of `path` ends: behind its domain, which holds no "/". A quoted local part
// may hold "@" and "/".
std::size_t end_of_address(std::string_view path) {
    std::size_t at = 0;
    if (path.starts_with('"')) {
        for (at = 1; at < path.size() && path[at] != '"'; ++at) {
            if (path[at] == '\\') ++at;
        }
    }
    at = path.find('@', at);
    if (at == std::string_view::npos) return path.find(MailboxName::kSeparator);
    return path.find(MailboxName::kSeparator, at);
}

}  // namespace

std::optional<ForeignName> split_foreign(const MailboxName& name) {
    std::string_view path = name.utf8();
    if (!path.starts_with(kOtherUsers)) return std::nullopt;
    path.remove_prefix(kOtherUsers.size());
    const std::size_t end = end_of_address(path);
    ForeignName split{std::string(path.substr(0, end)), std::nullopt};
    if (end == std::string_view::npos) return split;
    if (auto mailbox = MailboxName::parse(path.substr(end + 1))) split.mailbox = *std::move(mailbox);
    return split;
}

std::optional<MailboxName> join_foreign(std::string_view address, const MailboxName& mailbox) {
    std::string path(kOtherUsers);
    path += address;
    path += MailboxName::kSeparator;
    path += mailbox.utf8();
    auto joined = MailboxName::parse(path);
    if (!joined) return std::nullopt;
    return *std::move(joined);
}

}  // namespace mailstead::imapd
