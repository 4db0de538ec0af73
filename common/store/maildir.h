// Maildir++: how folders and files are named, and reading directories. Internal to the store.
//
//   mail/{cur,new,tmp}                 INBOX
//   mail/.Work.2026/{cur,new,tmp}      Work/2026
//   1700000000.A7B1U10M5.mailstead,S=1234:2,S
//
// In folder names "." inside a level is %2E and "%" is %25; a folder whose name was taken at the time ends in
// %~ and the mailbox's number. A file's name is derived from the index: INTERNALDATE, account, mailbox, UID,
// message id, size, flags. So it is unique, and an index can be rebuilt from names. A file whose name belongs
// to no message of this folder is a foreign one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/mailbox_name.h"
#include "common/base/ids.h"
#include "common/store/function_ref.h"
#include "common/store/records.h"

namespace mailstead::store::maildir {

inline constexpr std::size_t kMaxFolder = 240;  // bytes; file systems take 255

// "" for INBOX, otherwise with its leading dot.
std::string folder_of(const MailboxName& name);
std::string folder_with_number(std::string_view folder, std::uint32_t mailbox);
// nullopt for what is no folder of a mailbox. INBOX for "".
std::optional<MailboxName> mailbox_of(std::string_view folder);

// `accounts/7/mail`, `accounts/7/index`: relative to the data folder.
std::string mail_path(AccountId account);
std::string index_path(AccountId account);
// `accounts/7/mail/.Work`
std::string folder_path(AccountId account, std::string_view folder);
// `accounts/7/mail/.Work/cur/1700000000....`
std::string file_path(AccountId account, std::string_view folder, const FileName& name);

// All of the name before ":2,".
std::string base_name(AccountId account, const FileName& name);
std::string file_name(AccountId account, const FileName& name);

// What one of our names says.
struct ParsedName {
    AccountId account;
    FileName name;
};
std::optional<ParsedName> parse_name(std::string_view file);
// The flags behind ":2," of any Maildir file name.
SystemFlags flags_of(std::string_view file);
// Seconds since 1970 which a Maildir name starts with; nullopt when it does not.
std::optional<std::int64_t> date_of(std::string_view file);

// Calls `visit` with the name of each entry that is not "." or ".."; false stops. Whether the directory could
// be read.
bool list_directory(const std::string& path, FunctionRef<bool(std::string_view)> visit);
// The same for an open folder.
bool list_directory(int directory, FunctionRef<bool(std::string_view)> visit);

// The names in a folder's new/ and cur/ whose part before ":2," is `base`: paths relative to the folder
// ("cur/...").
std::vector<std::string> find_in_folder(const std::string& folder, std::string_view base);

// Looks for a message's file through all folders of the account; `mail` is the absolute path of its Maildir.
// Only when all else failed.
std::optional<std::string> find_anywhere(const std::string& mail, AccountId account, std::uint64_t message);

}  // namespace mailstead::store::maildir
