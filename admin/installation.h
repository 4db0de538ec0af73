// What `mailstead init` lays out on the disk. Every step leaves alone what is there already, so that an
// interrupted init is simply run again; the configuration file comes last and says that it is done.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "admin/failure.h"
#include "common/address/domain.h"
#include "common/runtime/identity.h"

namespace mailstead::admin {

enum class Purpose {
    production,  // standard ports on all addresses
    local,       // ports from 2000 on loopback, a private certification authority
};

struct Installation {
    Purpose purpose = Purpose::production;
    std::filesystem::path config_file;
    std::filesystem::path data_dir;
    std::filesystem::path certificate;
    std::filesystem::path key;
    std::filesystem::path ca;  // local only
    Domain hostname;
    std::string user;  // owns the data; empty: whoever runs init

    static Installation local(const std::filesystem::path& folder, const Domain& hostname);
    static Installation production(const Domain& hostname);
    // Standard ports, but everything below one folder and the present user.
    static Installation production_in(const std::filesystem::path& folder, const Domain& hostname);
};

// EX_CANTCREAT, with advice, when there is a configuration already.
Outcome<> check_not_set_up(const Installation& installation);
// Makes the system users that are missing, each with its group, and imapd's and smtpd's members of the
// owner's.
Outcome<> make_users(const runtime::UserNames& users, const std::filesystem::path& home);
// Modes and owners are set here, whatever the umask. What lies below the data folder is for lay_out_data().
Outcome<> make_folders(const Installation& installation);
Outcome<> make_certificates(const Installation& installation);
// An error in words when a daemon's user cannot read what it has to: the certificate and its key.
Outcome<> check_readable(const Installation& installation);
Outcome<> write_settings(const Installation& installation);

// `work` with the rights of who owns the data: in a process of its own if root sets up a user's.
Outcome<> as_owner(const Installation& installation, const std::function<Outcome<>()>& work);
// For as_owner(): the folders below the data folder.
Outcome<> lay_out_data(const Installation& installation);

}  // namespace mailstead::admin
