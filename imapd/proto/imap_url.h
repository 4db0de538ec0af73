// IMAP URLs that name a message or a part of one (RFC 5092). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/address/mailbox_name.h"
#include "imapd/proto/fetch_items.h"

namespace mailstead::imapd::proto {

inline constexpr std::size_t kMaxUrl = 4096;

struct ImapUrl {
    // Of an absolute URL, or one that begins with "//".
    struct Server {
        std::optional<std::string> user;
        std::string host;                   // as written
        std::optional<std::uint16_t> port;  // none: the usual one
    };
    std::optional<Server> server;
    MailboxName mailbox = MailboxName::inbox();
    std::optional<std::uint32_t> uidvalidity;
    std::uint32_t uid = 0;
    Section section;
    std::optional<Partial> partial;  // a count of UINT64_MAX goes to the end
};

// `base`: the selected mailbox, against which relative URLs are read (RFC 4469, 3). URLs of mailboxes,
// searches and URLAUTH are errors.
Parsed<ImapUrl> parse_imap_url(std::string_view url, const std::optional<MailboxName>& base);

}  // namespace mailstead::imapd::proto
