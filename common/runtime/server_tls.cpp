#include "common/runtime/server_tls.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>
#include <utility>

#include "common/base/file_descriptor.h"
#include "common/runtime/log.h"

namespace mailstead::runtime {
namespace {

// In words that say what to do; OpenSSL's are "system lib".
Result<void> check_readable(const std::filesystem::path& file) {
    const FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (opened) return {};
    std::string what = "cannot read " + file.string() + ": " + std::strerror(errno);
    if (errno == EACCES)
        what += "; user " + std::to_string(::geteuid()) + " needs to read it and to enter the folders above";
    return permanent_error(std::move(what));
}

net::TlsServerOptions options_of(const settings::Tls& tls) {
    net::TlsServerOptions options;
    for (const settings::CertificatePaths& pair : tls.certificates) {
        options.certificates.push_back({.certificate = pair.certificate, .key = pair.key});
    }
    options.session_tickets = tls.session_tickets;
    options.on_problem = [](std::string_view problem) { log::warning("tls.problem", {{"why", problem}}); };
    options.on_reload = [] { log::info("tls.reloaded"); };
    return options;
}

}  // namespace

void add_certificates(Plan& plan, const settings::Tls& tls) {
    for (const settings::CertificatePaths& pair : tls.certificates) {
        // Renewed certificates are new files.
        allow_replaced(plan, pair.certificate, Access::read);
        allow_replaced(plan, pair.key, Access::read);
    }
}

Result<void> ServerTls::load(const settings::Tls& tls, std::span<const settings::Listener> listeners) {
    const auto begins_with_tls = [](const settings::Listener& listener) {
        return listener.tls == settings::TlsMode::implicit;
    };
    if (tls.certificates.empty()) {
        if (std::ranges::any_of(listeners, begins_with_tls))
            return permanent_error("a listener begins with TLS, but tls.certificate is not set");
        return {};
    }
    for (const settings::CertificatePaths& pair : tls.certificates) {
        TRY_VOID(check_readable(pair.certificate));
        TRY_VOID(check_readable(pair.key));
    }
    TRY(context, net::TlsServerContext::load(options_of(tls)));
    context_ = std::move(context);
    return {};
}

void ServerTls::reload() {
    if (!context_) return;
    if (const auto reloaded = context_->reload(); !reloaded)
        log::warning("tls.problem", {{"why", reloaded.error().what}});
}

}  // namespace mailstead::runtime
