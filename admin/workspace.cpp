#include "admin/workspace.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backup/format.h"
#include "common/base/open_file.h"
#include "common/base/text.h"
#include "common/runtime/identity.h"
#include "common/settings/units.h"

namespace mailstead::admin {
namespace {

// The databases belong to the daemons' user; another one gets "permission denied" deep inside, so say it
// here.
Outcome<> check_access(const std::filesystem::path& folder) {
    if (::access(folder.c_str(), F_OK) != 0) {
        if (errno == EACCES) return Failure(EX_NOPERM, folder.string() + " is not for you: try with sudo");
        return Failure(EX_CONFIG, "there is no " + folder.string() +
                                      ": `mailstead init you@example.org` sets Mailstead up");
    }
    if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
        return Failure(
            EX_NOPERM,
            folder.string() + " is not yours to change: try with sudo, or as the user of the daemons");
    }
    return {};
}

// Whoever may write into a folder on the way to the data could put another one in its place. In a sticky one
// (/tmp) only the owner of what lies there can.
Outcome<> check_way(const std::filesystem::path& data_dir) {
    for (std::filesystem::path folder = data_dir.parent_path();; folder = folder.parent_path()) {
        struct stat status {};
        if (::lstat(folder.c_str(), &status) != 0)
            return Failure(EX_OSERR, "cannot look at " + folder.string());
        const bool group_writes = (status.st_mode & S_IWGRP) != 0 && status.st_gid != 0;
        const bool others_write =
            (group_writes || (status.st_mode & S_IWOTH) != 0) && (status.st_mode & S_ISVTX) == 0;
        if (others_write)
            return Failure(EX_NOPERM, folder.string() +
                                          " may be written to by others than its owner, so that they "
                                          "could exchange " +
                                          data_dir.string() + ": `chmod go-w " + folder.string() +
                                          "`, or run this as the owner of the data");
        if (folder == folder.parent_path()) return {};
    }
}

void warn_of_restoring(std::string_view what) {
    std::fprintf(stderr, "mailstead: warning: %s\n", std::string(what).c_str());
}

}  // namespace

Outcome<settings::Settings> load_settings(const Arguments& arguments) {
    if (!arguments.settings) {
        auto settings = settings::load(arguments.settings_file);
        if (!settings) return Failure(settings.error());
        arguments.settings = std::make_shared<const settings::Settings>(*std::move(settings));
    }
    return *arguments.settings;
}

Outcome<> act_as_owner(const Arguments& arguments) {
    if (::geteuid() != 0) return {};
    const auto settings = load_settings(arguments);
    if (!settings) return {};
    return act_as_owner(*settings);
}

Outcome<> act_as_owner(const settings::Settings& settings) {
    if (::geteuid() != 0) return {};
    const std::filesystem::path& data = settings.data_dir;
    const FileDescriptor folder = open_without_links(AT_FDCWD, data.string(), O_PATH | O_DIRECTORY);
    struct stat status {};
    if (!folder) {
        if (errno == ENOENT) return {};
        return Failure(EX_OSERR, data.string() + " cannot be opened as a folder: " + std::strerror(errno));
    }
    if (::fstat(folder.get(), &status) != 0) return Failure(EX_OSERR, "cannot look at " + data.string());
    if (status.st_uid == 0) return {};
    TRY_VOID(check_way(data));
    runtime::Identity identity{status.st_uid, status.st_gid, {}};
    // Files are made in the group that imapd reads by.
    if (const auto known = runtime::identity_of(settings, runtime::Role::deliver);
        known && *known && (*known)->uid == status.st_uid)
        identity = **known;
    TRY_VOID(runtime::become(identity));
    ::umask(0027);
    return {};
}

Outcome<std::unique_ptr<directory::Editor>> open_editor(const settings::Settings& settings) {
    TRY_VOID(check_access(settings.data_dir / "directory"));
    const auto format = backup::format_of(settings.data_dir);
    if (format && format->value_or(0) > backup::kFormat)
        return Failure(EX_CONFIG, settings.data_dir.string() + " is of format " + std::to_string(**format) +
                                      ", and this program knows formats up to " +
                                      std::to_string(backup::kFormat) + ": install the newer Mailstead");
    TRY(editor, directory::edit_directory(settings.data_dir, warn_of_restoring));
    return editor;
}

Outcome<std::unique_ptr<directory::CredentialsEditor>> open_credentials_editor(
    const settings::Settings& settings) {
    TRY_VOID(check_access(settings.data_dir / "credentials"));
    TRY(editor, directory::edit_credentials(settings.data_dir, warn_of_restoring));
    return editor;
}

Outcome<Address> parse_address(std::string_view text) {
    auto address = Address::parse(text);
    if (!address) {
        return Failure(EX_DATAERR, '"' + text::quote_for_log(text) + "\" is not a mail address (" +
                                       std::string(address.error().what) + "); you@example.org is one");
    }
    return *std::move(address);
}

Outcome<Domain> parse_domain(std::string_view text) {
    auto domain = Domain::parse(text);
    if (!domain || domain->is_literal()) {
        const std::string why = domain ? "an address literal" : std::string(domain.error().what);
        return Failure(EX_DATAERR, '"' + text::quote_for_log(text) + "\" is not a domain (" + why +
                                       "); example.org is one");
    }
    return *std::move(domain);
}

Outcome<directory::Account> find_account(const directory::Directory& directory, std::string_view login) {
    TRY(account, directory.find_by_login(login));
    if (!account) {
        return Failure(EX_NOUSER, "there is no account " + text::quote_for_log(login) +
                                      "; `mailstead account list` shows all");
    }
    return *std::move(account);
}

Outcome<std::uint64_t> parse_quota(std::string_view text) {
    if (text == "none") return std::uint64_t{0};
    const auto bytes = settings::parse_size(text);
    if (!bytes)
        return Failure(EX_DATAERR,
                       "\"" + text::quote_for_log(text) + "\" is not a size: write 10G, 500M, or none");
    return *bytes;
}

Outcome<std::uint64_t> parse_count(std::string_view text) {
    if (text == "none") return std::uint64_t{0};
    const auto count = text::parse_number<std::uint64_t>(text);
    if (!count || *count == 0)
        return Failure(EX_DATAERR,
                       "\"" + text::quote_for_log(text) + "\" is not a number: write 1000, or none");
    return *count;
}

Outcome<std::vector<std::string>> parse_capabilities(const std::vector<std::string>& names) {
    std::vector<std::string> out;
    for (const std::string& name : names) {
        const bool is_word =
            !name.empty() && name.size() <= 64 && name.find_first_of(" \t\r\n\"(){") == std::string::npos;
        if (!is_word)
            return Failure(EX_DATAERR,
                           "\"" + text::quote_for_log(name) + "\" is not the name of a capability");
        out.push_back(text::upper(name));
    }
    return out;
}

}  // namespace mailstead::admin
