#include <algorithm>
#include <cerrno>
#include <cstring>
#include <pwd.h>
#include <unistd.h>

#include "common/settings/settings.h"

namespace mailstead::settings {
namespace {

class Checker {
public:
    Checker(const Settings& settings, const std::filesystem::path& file)
        : settings_(settings), file_(file.string()) {}

    std::vector<Problem> run() {
        check_data_dir();
        check_user();
        check_listeners();
        check_certificates();
        check_relay();
        check_oauth();
        return std::move(problems_);
    }

private:
    void problem(std::string key, std::string what) {
        problems_.push_back({file_, 0, std::move(key), std::move(what)});
    }

    void readable(const std::string& key, const std::filesystem::path& path) {
        if (path.empty() || ::access(path.c_str(), R_OK) == 0) return;
        problem(key, "cannot read " + path.string() + " (" + std::strerror(errno) + ')');
    }

    void check_data_dir() {
        std::error_code error;
        if (std::filesystem::is_directory(settings_.data_dir, error)) return;
        problem("data_dir",
                "there is no folder " + settings_.data_dir.string() + "; `mailstead init` makes it");
    }

    void check_user() {
        const auto known = [&](const char* key, const std::string& user) {
            const bool exists = ::getpwnam(user.c_str()) != nullptr;
            if (!exists)
                problem(key, "there is no user \"" + user +
                                 "\" on this machine; `systemd-sysusers` makes "
                                 "those of Mailstead");
            return exists;
        };
        if (settings_.user.empty() || settings_.user == "root") return;
        if (!known("user", settings_.user)) return;  // the names of the others come from it
        known("imapd_user", settings_.imapd_user.empty() ? settings_.user + "-imapd" : settings_.imapd_user);
        known("smtpd_user", settings_.smtpd_user.empty() ? settings_.user + "-smtpd" : settings_.smtpd_user);
    }

    void check_listeners() {
        for (std::size_t i = 0; i < settings_.listeners.size(); ++i) {
            const Service service = settings_.listeners[i].service;
            if (service != Service::web) continue;
            problem(
                "listener[" + std::to_string(i + 1) + "].service",
                std::string(to_string(service)) + " is not served by this version: take the listener out");
        }
    }

    void check_certificates() {
        const auto wants_tls = [](const Listener& listener) { return listener.tls != TlsMode::none; };
        const auto& listeners = settings_.listeners;
        if (settings_.tls.certificates.empty() &&
            std::any_of(listeners.begin(), listeners.end(), wants_tls)) {
            problem("tls.certificate",
                    "is missing: a listener offers TLS, so a certificate and its key are needed");
        }
        for (std::size_t i = 0; i < settings_.tls.certificates.size(); ++i) {
            const std::string table = i == 0 ? "tls" : "tls.more[" + std::to_string(i) + ']';
            readable(table + ".certificate", settings_.tls.certificates[i].certificate);
            readable(table + ".key", settings_.tls.certificates[i].key);
        }
    }

    void check_oauth() {
        const OAuth& oauth = settings_.oauth;
        readable("oauth.client_secret_file", oauth.client_secret_file);
        readable("oauth.ca_file", oauth.ca_file);
        if (!oauth.client_id.empty() && oauth.client_secret_file.empty())
            problem("oauth.client_secret_file", "is missing: oauth.client_id goes with a secret");
    }

    void check_relay() {
        readable("relay.ca_file", settings_.relay.ca_file);
        if (settings_.relay.smarthost) {
            readable("relay.smarthost_password_file", settings_.relay.smarthost->password_file);
        }
        for (std::size_t i = 0; i < settings_.relay.routes.size(); ++i) {
            const auto& smarthost = settings_.relay.routes[i].smarthost;
            const std::string key = "relay.route[" + std::to_string(i + 1) + "].smarthost_password_file";
            if (smarthost) readable(key, smarthost->password_file);
        }
    }

    const Settings& settings_;
    std::string file_;
    std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check_surroundings(const Settings& settings, const std::filesystem::path& file) {
    return Checker(settings, file).run();
}

}  // namespace mailstead::settings
