// What most commands start from: the settings, and the databases they name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "admin/command.h"
#include "common/address/address.h"
#include "common/directory/credentials.h"
#include "common/directory/editor.h"
#include "common/settings/settings.h"

namespace mailstead::admin {

// Reads the file once for each command.
Outcome<settings::Settings> load_settings(const Arguments& arguments);

// If root runs this, becomes the owner of the data folder, for good: nothing that root alone may do can then
// be had by putting a link or a file of one's own below it. With a wrong configuration, or before there is a
// data folder, nothing changes: the command itself finds the words. An error: the folder is a link, or others
// than root and its owner may write where it lies.
Outcome<> act_as_owner(const Arguments& arguments);
Outcome<> act_as_owner(const settings::Settings& settings);

// Opened for writing, as only this program does; readers in the daemons see each change at once.
Outcome<std::unique_ptr<directory::Editor>> open_editor(const settings::Settings& settings);
Outcome<std::unique_ptr<directory::CredentialsEditor>> open_credentials_editor(
    const settings::Settings& settings);

// EX_DATAERR with a sentence when the text is none.
Outcome<Address> parse_address(std::string_view text);
Outcome<Domain> parse_domain(std::string_view text);

// By login as people type it; EX_NOUSER when there is none.
Outcome<directory::Account> find_account(const directory::Directory& directory, std::string_view login);

// `10K`, `2 GiB`, `0` or `none`
Outcome<std::uint64_t> parse_quota(std::string_view text);
// A number of messages or mailboxes; "none" is 0.
Outcome<std::uint64_t> parse_count(std::string_view text);

// Names of capabilities in upper case; EX_DATAERR for what cannot be one.
Outcome<std::vector<std::string>> parse_capabilities(const std::vector<std::string>& names);

}  // namespace mailstead::admin
