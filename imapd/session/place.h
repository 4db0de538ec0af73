// Where a mailbox that a command names lives, and what the session's user may do with it (RFC 4314).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/address/mailbox_name.h"
#include "common/store/store.h"

namespace mailstead::imapd {

// Found by Session::locate(). Says how things were then: changes are applied to `account`, by `name`.
struct Place {
    AccountId account;            // whose mailbox it is
    store::AccountReader reader;  // of that account
    MailboxName name;             // within the account
    bool own = true;
    std::optional<store::MailboxInfo> mailbox;  // nullopt: there is none
    store::Rights rights;                       // to the mailbox; one's own: all, also before it exists
    store::Rights rights_above;  // to the nearest mailbox above that exists (RFC 4314, 4: CREATE)

    // Nobody may learn that a mailbox exists which he cannot list (RFC 4314, 6).
    bool is_visible() const { return mailbox && rights.has(store::Right::lookup); }
    bool may(store::Right right) const { return mailbox && rights.has(right); }
    // For write_id(): the account when it is another one's, since ids count within an account.
    AccountId id_scope() const { return own ? AccountId() : account; }
};

// Mailboxes of others are `Other Users/ann@example.org/INBOX` (RFC 2342, 5). The address may hold "/" as
// local parts do.
inline constexpr std::string_view kOtherUsers = "Other Users/";

struct ForeignName {
    std::string address;
    std::optional<MailboxName> mailbox;  // nullopt: the name ends with the address, or cannot exist
};
// Takes such a name apart; nullopt when it is one's own.
std::optional<ForeignName> split_foreign(const MailboxName& name);
// Puts it together; nullopt when the result is too long for a name.
std::optional<MailboxName> join_foreign(std::string_view address, const MailboxName& mailbox);

}  // namespace mailstead::imapd
