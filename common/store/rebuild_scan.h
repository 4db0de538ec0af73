// First step of a rebuild: which mailboxes there are, and which file is which message. Reads folders and the
// sidecar, no message. Internal to the store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/store/maildir.h"
#include "common/store/sidecar.h"

namespace mailstead::store::rebuild {

struct Box {
    AccountSidecar::Mailbox about;
    bool is_known = false;  // to the sidecar: its UIDVALIDITY is that of before
    bool on_disk = false;   // the folder is there
    std::uint32_t highest_uid = 0;
};

// One message in one mailbox, by the name of its file. 48 bytes: there may be millions.
struct Entry {
    std::uint64_t message = 0;
    std::int64_t date = 0;
    std::uint64_t size = 0;
    std::uint32_t mailbox = 0;  // first the number in the name, then the mailbox it is in
    std::uint32_t uid = 0;
    std::uint32_t folder = 0;  // of Scan::folders
    Place place;
    bool is_odd = false;  // its name is not spelled as ours are: see Scan::odd_names
};

// A file that gets a new UID.
struct Stray {
    std::uint32_t mailbox = 0;
    std::string path;  // below mail/
    std::optional<std::int64_t> date;
};

struct Scan {
    std::optional<AccountSidecar> sidecar;
    std::map<std::uint32_t, Box> boxes;
    std::vector<std::string> folders;
    std::vector<Entry> entries;  // by message, mailbox and UID; no two of one mailbox and UID
    std::unordered_map<std::uint64_t, std::string> odd_names;  // by mailbox << 32 | UID; paths below mail/
    std::vector<Stray> strays;                                 // by mailbox, date and path
    std::vector<std::string> subscriptions;
    std::uint32_t next_mailbox = 1;
    std::uint32_t last_uidvalidity = 0;
    std::uint64_t highest_message = 0;
    std::uint64_t doubles = 0;  // second names of a message in its mailbox, left alone
};

// `now` for mailboxes that the sidecar does not know.
Outcome<Scan> scan(const std::filesystem::path& root, AccountId account, Time now);

inline std::uint64_t key_of(std::uint32_t mailbox, std::uint32_t uid) {
    return std::uint64_t{mailbox} << 32 | uid;
}
// Below mail/.
std::string path_of(const Scan& scan, AccountId account, const Entry& entry);

}  // namespace mailstead::store::rebuild
