// What an account's index knows and the names of its Maildir files do not, kept beside the Maildir as text:
// with it a lost index is made anew so that no client notices. Internal to the store.
//
//   sidecar/mailboxes      the account, its mailboxes, access lists, annotations, subscriptions, keyword
//   table sidecar/messages.<id>  of one mailbox: which UIDs have which keywords, save dates. Absent: nothing
//   to say
//
// The follower writes them some seconds after a change; they are renamed into place, and become durable with
// the next checkpoint. What was there before keeps the name with "~" until the next time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/commit/file_layer.h"
#include "common/store/failure.h"
#include "common/store/reader.h"
#include "common/store/rights.h"
#include "common/store/uid_set.h"
#include "common/store/values.h"

namespace mailstead::store {

// Numbers that only rise are written as what they will not have reached for a while, so that a delivery does
// not change the text.
inline constexpr std::uint32_t kUidReserve = 1'024;
inline constexpr std::uint64_t kMessageReserve = 1u << 16;
inline constexpr std::uint64_t kModSeqReserve = 1u << 20;

struct AccountSidecar {
    struct Mailbox {
        std::uint32_t id = 0;
        std::uint32_t uidvalidity = 0;
        std::uint32_t uidnext = 1;  // no message has this UID or a higher one; as of a moment ago
        std::int64_t created = 0;   // milliseconds
        SpecialUse special_use = SpecialUse::none;
        std::string folder;
        std::string name;
        friend bool operator==(const Mailbox&, const Mailbox&) = default;
    };
    struct Line {
        std::uint32_t mailbox = 0;
        AclEntry entry;
        friend bool operator==(const Line&, const Line&) = default;
    };
    struct Annotation {
        std::uint32_t mailbox = 0;  // 0: the account
        std::string name;
        std::string value;
        friend bool operator==(const Annotation&, const Annotation&) = default;
    };

    AccountId account;
    std::uint32_t last_uidvalidity = 0;
    std::uint32_t next_mailbox = 1;
    std::uint64_t next_message = 1;
    std::uint64_t modseq = 0;
    std::uint64_t quota_octets = 0;
    std::uint64_t quota_messages = 0;
    std::uint64_t quota_mailboxes = 0;
    std::vector<std::string> keywords;
    std::vector<std::string> subscriptions;
    std::vector<Mailbox> mailboxes;
    std::vector<Line> acl;
    std::vector<Annotation> annotations;

    std::string encode() const;
    // nullopt for what is no such text, or not all of it.
    static std::optional<AccountSidecar> decode(std::string_view text);
    friend bool operator==(const AccountSidecar&, const AccountSidecar&) = default;
};

struct MailboxSidecar {
    std::map<std::string, UidSet> keywords;
    // Save dates by how many seconds they lie behind INTERNALDATE; zero is not listed.
    std::map<std::int64_t, UidSet> delays;
    // INTERNALDATEs before 1970, which file names cannot tell; seconds.
    std::map<std::int64_t, UidSet> early;

    bool empty() const { return keywords.empty() && delays.empty() && early.empty(); }
    std::string encode() const;
    static std::optional<MailboxSidecar> decode(std::string_view text);
    friend bool operator==(const MailboxSidecar&, const MailboxSidecar&) = default;
};

namespace sidecar {

// `accounts/7/sidecar`, relative to the data folder.
std::string folder_path(AccountId account);
std::string account_file(AccountId account);
std::string mailbox_file(AccountId account, std::uint32_t mailbox);

// From the data folder; nullopt when there is none, or no whole one. An account without sidecar is of an
// older program, or lost it.
std::optional<AccountSidecar> read_account(const std::filesystem::path& root, AccountId account);
MailboxSidecar read_mailbox(const std::filesystem::path& root, AccountId account, std::uint32_t mailbox);

// What a snapshot says.
Outcome<AccountSidecar> gather_account(const Snapshot& snapshot);
Outcome<MailboxSidecar> gather_mailbox(const Snapshot& snapshot, MailboxId mailbox);

// Replaces a file, the old one kept with "~". Path relative to the data folder; 0 or errno.
int write_file(commit::FileLayer& files, const std::filesystem::path& root, const std::string& path,
               std::string_view bytes);
// The whole file, if it is one of at most `limit` bytes; links are not followed.
std::optional<std::string> read_file(const std::filesystem::path& path, std::size_t limit);

// One token of a line: blanks, controls and "%" as %XX, nothing as "%".
std::string escape(std::string_view text);
std::optional<std::string> unescape(std::string_view token);

}  // namespace sidecar

}  // namespace mailstead::store
