// The name of a mailbox, apart from how a client spells it.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace mailstead {

// UTF-8, levels divided by "/", INBOX in capitals as the first level in whatever case it came (RFC
// 9051, 5.1). At most 1,000 bytes and 32 levels; no empty level, no control characters, no level "." or "..".
class MailboxName {
public:
    static constexpr char kSeparator = '/';

    // From UTF-8. A trailing separator is dropped (RFC 9051, 6.3.4: clients announce children so).
    static Parsed<MailboxName> parse(std::string_view utf8);
    // From IMAP4rev1's modified UTF-7; a bare "&" that is no valid run stands for itself, and raw UTF-8 is
    // taken as it is, since Thunderbird sends both after UTF8=ACCEPT.
    static Parsed<MailboxName> parse_modified_utf7(std::string_view text);
    static MailboxName inbox();

    const std::string& utf8() const { return name_; }
    std::string modified_utf7() const;
    bool is_inbox() const;
    // The mailbox one level up; nullopt at the top.
    std::optional<MailboxName> parent() const;
    // The last level.
    std::string_view leaf() const;
    std::vector<std::string_view> levels() const;
    bool is_below(const MailboxName& ancestor) const;
    // This name with the leading `from` replaced by `to`; `from` must be this name or an ancestor of it.
    Parsed<MailboxName> rebased(const MailboxName& from, const MailboxName& to) const;

    friend auto operator<=>(const MailboxName&, const MailboxName&) = default;

private:
    explicit MailboxName(std::string name) : name_(std::move(name)) {}
    std::string name_;
};

}  // namespace mailstead
