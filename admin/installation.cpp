#include "admin/installation.h"

#include <cstring>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/certificates.h"
#include "admin/process.h"
#include "common/base/file_descriptor.h"
#include "common/runtime/data_folder.h"
#include "common/settings/settings.h"

namespace mailstead::admin {
namespace {

constexpr mode_t kPrivate = 0700;
constexpr mode_t kPublic = 0755;

Failure cannot(const char* doing, const std::filesystem::path& path) {
    const int code = errno == EACCES || errno == EPERM ? EX_NOPERM : EX_CANTCREAT;
    std::string text = std::string("cannot ") + doing + ' ' + path.string() + ": " + std::strerror(errno);
    if (code == EX_NOPERM) text += "; try with sudo, or `init --local --dir FOLDER` to try Mailstead out";
    return {code, std::move(text)};
}

bool is_there(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

Outcome<> make_folder(const std::filesystem::path& path, mode_t mode) {
    if (path.has_parent_path() && !is_there(path.parent_path())) {
        TRY_VOID(make_folder(path.parent_path(), kPublic));
    }
    if (::mkdir(path.c_str(), mode) != 0) {
        if (errno != EEXIST) return cannot("make the folder", path);
        return {};
    }
    if (::chmod(path.c_str(), mode) != 0) return cannot("make the folder", path);  // whatever the umask
    return {};
}

// The whole file or none: written beside, flushed, renamed.
Outcome<> write_file(const std::filesystem::path& path, std::string_view content, mode_t mode) {
    const std::filesystem::path beside = path.string() + ".new";
    const FileDescriptor file(
        ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file) return cannot("write", beside);
    while (!content.empty()) {
        const ssize_t written = ::write(file.get(), content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return cannot("write", beside);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0) return cannot("write", beside);
    if (::rename(beside.c_str(), path.c_str()) != 0) return cannot("write", path);
    return {};
}

settings::Settings users_in(const Installation& installation) {
    settings::Settings settings;
    settings.user = installation.user;
    return settings;
}

// Whether root sets up what others will own.
bool for_others(const Installation& installation) {
    return !installation.user.empty() && ::geteuid() == 0;
}

// nullopt: whoever runs init.
Outcome<std::optional<runtime::Users>> users_for(const Installation& installation) {
    if (!for_others(installation)) return std::optional<runtime::Users>();
    auto users = runtime::users_of(users_in(installation));
    if (!users) return Failure(EX_OSERR, users.error().what);
    return *users;
}

// Where the daemons' group has to read a file that is root's.
Outcome<> let_daemons_read(const Installation& installation, const std::filesystem::path& path) {
    TRY(users, users_for(installation));
    if (users && ::chown(path.c_str(), 0, users->common) != 0) return cannot("give away", path);
    return {};
}

// Older versions gave all away at the very end, so an interrupted init left it to root: nobody else can have
// put links there. The folder itself goes last, which opens it to its owner.
Outcome<> give_away(const std::filesystem::path& data_dir, const runtime::Users& users) {
    struct stat status {};
    if (::lstat(data_dir.c_str(), &status) != 0) return cannot("look at", data_dir);
    if (!S_ISDIR(status.st_mode))
        return Failure(EX_CANTCREAT, data_dir.string() + " is no folder: move it away, then run init again");
    if (status.st_uid == users.owner) return {};
    if (status.st_uid != 0)
        return Failure(EX_CANTCREAT, data_dir.string() + " belongs to user " + std::to_string(status.st_uid) +
                                         ": move it away, or `chown -Rh` it to who should own it");
    if (::chmod(data_dir.c_str(), kPrivate) != 0) return cannot("close", data_dir);
    const auto give = [&](const std::filesystem::path& path) {
        return ::lchown(path.c_str(), users.owner, users.common) == 0;
    };
    std::error_code error;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data_dir, error)) {
        if (!give(entry.path())) return cannot("give away", entry.path());
    }
    if (!give(data_dir)) return cannot("give away", data_dir);
    return {};
}

std::string listener(std::string_view service, std::string_view address, std::string_view tls) {
    std::string out = "\n[[listener]]\nservice = \"";
    out.append(service)
        .append("\"\naddress = \"")
        .append(address)
        .append("\"\ntls = \"")
        .append(tls)
        .append("\"\n");
    return out;
}

std::string listeners_of(Purpose purpose) {
    const bool local = purpose == Purpose::local;
    const auto at = [&](const char* local_port, const char* port) {
        return local ? std::string("127.0.0.1:") + local_port : std::string("[::]:") + port;
    };
    return listener("smtp", at("2525", "25"), "starttls") +
           listener("submission", at("2465", "465"), "implicit") +
           listener("submission", at("2587", "587"), "starttls") +
           listener("imap", at("2993", "993"), "implicit") + listener("imap", at("2143", "143"), "starttls") +
           listener("pop3", at("2995", "995"), "implicit") + listener("pop3", at("2110", "110"), "starttls");
}

// TOML's basic strings need these two escaped (TOML 1.0, String).
std::string quoted(const std::filesystem::path& path) {
    std::string out = "\"";
    for (const char c : path.string()) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

// A path in the configuration file: relative where it lies in the file's folder, so that the folder can be
// moved.
std::filesystem::path as_written(const Installation& installation, const std::filesystem::path& path) {
    const auto relative = path.lexically_relative(installation.config_file.parent_path());
    return relative.empty() || relative.begin()->string() == ".." ? path : relative;
}

}  // namespace

Installation Installation::local(const std::filesystem::path& folder, const Domain& hostname) {
    return {Purpose::local,         folder / "mailstead.toml", folder / "data", folder / "tls/fullchain.pem",
            folder / "tls/key.pem", folder / "ca.pem",         hostname,        ""};
}

Installation Installation::production(const Domain& hostname) {
    return {Purpose::production,
            "/etc/mailstead/mailstead.toml",
            "/var/lib/mailstead",
            "/etc/mailstead/tls/fullchain.pem",
            "/etc/mailstead/tls/key.pem",
            "",
            hostname,
            "mailstead"};
}

Installation Installation::production_in(const std::filesystem::path& folder, const Domain& hostname) {
    return {Purpose::production,
            folder / "mailstead.toml",
            folder / "data",
            folder / "tls/fullchain.pem",
            folder / "tls/key.pem",
            "",
            hostname,
            ""};
}

Outcome<> check_not_set_up(const Installation& installation) {
    if (!is_there(installation.config_file)) return {};
    const std::string file = installation.config_file.string();
    return Failure(
        EX_CANTCREAT,
        file + " is there already, so nothing was changed. To add a domain or an account: `mailstead -c " +
            file + " domain add` and `account add`. To begin anew, move " + file + " and " +
            installation.data_dir.string() + " away first");
}

Outcome<> make_users(const runtime::UserNames& users, const std::filesystem::path& home) {
    const auto make = [&](const std::string& user, const std::vector<std::string>& more) -> Outcome<> {
        if (::getpwnam(user.c_str()) != nullptr) return {};
        if (::geteuid() != 0)
            return Failure(EX_NOPERM, "only root can make the user " + user + ": try with sudo");
        std::vector<std::string> arguments = {"--system",         "--user-group",     "--home-dir",
                                              home.string(),      "--no-create-home", "--shell",
                                              "/usr/sbin/nologin"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        arguments.push_back(user);
        if (run_program("/usr/sbin/useradd", arguments) == 0) return {};
        return Failure(EX_OSERR,
                       "the user " + user + " could not be made with useradd: make it, then run this again");
    };
    if (users.owner.empty()) return {};
    TRY_VOID(make(users.owner, {}));
    TRY_VOID(make(users.imapd, {"--groups", users.owner}));
    return make(users.smtpd, {"--groups", users.owner});
}

Outcome<> make_folders(const Installation& installation) {
    TRY_VOID(make_folder(installation.config_file.parent_path(), kPublic));
    TRY_VOID(make_folder(installation.certificate.parent_path(), kPublic));
    TRY_VOID(make_folder(installation.data_dir, kPrivate));
    TRY(users, users_for(installation));
    return users ? give_away(installation.data_dir, *users) : Outcome<>();
}

Outcome<> as_owner(const Installation& installation, const std::function<Outcome<>()>& work) {
    if (!for_others(installation)) return work();
    const auto identity = runtime::identity_of(users_in(installation), runtime::Role::deliver);
    if (!identity) return Failure(EX_OSERR, identity.error().what);
    return run_as(**identity, work);
}

Outcome<> lay_out_data(const Installation& installation) {
    ::umask(0027);
    std::optional<runtime::Users> users;
    if (!installation.user.empty()) {
        const auto known = runtime::users_of(users_in(installation));
        if (known && *known && (*known)->owner == ::geteuid()) users = **known;
    }
    TRY_VOID(runtime::arrange_data_folder(installation.data_dir, users));
    return {};
}

Outcome<> check_readable(const Installation& installation) {
    if (!for_others(installation)) return {};
    for (const auto role : {runtime::Role::imapd, runtime::Role::smtpd}) {
        const auto identity = runtime::identity_of(users_in(installation), role);
        if (!identity) return Failure(EX_OSERR, identity.error().what);
        const char* const name = role == runtime::Role::imapd ? "imapd" : "smtpd";
        TRY_VOID(run_as(**identity, [&]() -> Outcome<> {
            for (const auto& file : {installation.certificate, installation.key}) {
                const FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
                if (opened) continue;
                return Failure(
                    EX_NOPERM,
                    installation.user + '-' + name + ", the user of " + name + ", cannot read " +
                        file.string() + " (" + std::strerror(errno) + "): `chgrp " + installation.user + ' ' +
                        file.string() + "; chmod 640 " + file.string() +
                        "` lets the daemons read it, `chmod 755` lets them into the folders above");
            }
            return {};
        }));
    }
    return {};
}

Outcome<> make_certificates(const Installation& installation) {
    if (is_there(installation.certificate) && is_there(installation.key)) return {};
    constexpr mode_t kKeyMode = 0640;
    const std::string hostname = installation.hostname.ascii();
    if (installation.purpose == Purpose::local) {
        TRY(made, make_private_ca({hostname, "localhost", "127.0.0.1", "::1"}));
        TRY_VOID(write_file(installation.ca, made.ca_pem, 0644));
        TRY_VOID(write_file(installation.key, made.certificate.key_pem.reveal(), kKeyMode));
        return write_file(installation.certificate, made.certificate.pem, 0644);
    }
    TRY(made, make_self_signed({hostname}));
    TRY_VOID(write_file(installation.key, made.key_pem.reveal(), kKeyMode));
    TRY_VOID(let_daemons_read(installation, installation.key));
    return write_file(installation.certificate, made.pem, 0644);
}

Outcome<> write_settings(const Installation& installation) {
    std::string out =
        "# Mailstead's configuration. `mailstead config describe` explains every key, `mailstead config "
        "check` looks for errors.\n\n";
    out += "hostname = \"" + installation.hostname.ascii() + "\"\n";
    out += "data_dir = " + quoted(as_written(installation, installation.data_dir)) + "\n";
    if (!installation.user.empty()) out += "user = \"" + installation.user + "\"\n";
    out += listeners_of(installation.purpose);
    if (installation.purpose == Purpose::production) {
        out +=
            "\n# Self-signed for a start: put the real certificate with its chain, and its key, into these "
            "files.";
    }
    out += "\n[tls]\ncertificate = " + quoted(as_written(installation, installation.certificate)) +
           "\nkey = " + quoted(as_written(installation, installation.key)) + "\n";
    const auto readable = settings::parse(out, installation.config_file);
    if (!readable)
        return Failure(EX_SOFTWARE, "the new configuration does not read:\n" + readable.error().to_string());
    return write_file(installation.config_file, out, 0644);
}

}  // namespace mailstead::admin
