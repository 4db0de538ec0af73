// What `mailstead init` lays out on the disk. Every step leaves alone what is there already, so that an
// interrupted init is simply run again; the configuration file comes last and says that it is done.
#pragma once

#include <filesystem>
#include <string>

#include "admin/failure.h"
#include "common/address/domain.h"

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
// Makes the system user if there is none.
Outcome<> make_user(const Installation& installation);
Outcome<> make_folders(const Installation& installation);
Outcome<> make_certificates(const Installation& installation);
Outcome<> write_settings(const Installation& installation);
// Everything below the data folder to the user.
Outcome<> give_to_user(const Installation& installation);

}  // namespace mailstead::admin
