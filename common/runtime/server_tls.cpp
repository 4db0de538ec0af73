#include "common/runtime/server_tls.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/runtime/log.h"

namespace mailstead::runtime {
namespace {

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
