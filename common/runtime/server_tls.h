// The certificates of a daemon that clients connect to, from the settings to SIGHUP.
#pragma once

#include <memory>
#include <span>

#include "common/base/result.h"
#include "common/net/tls_context.h"
#include "common/runtime/plan.h"
#include "common/settings/settings.h"

namespace mailstead::runtime {

// Lets the sandbox read the certificates for as long as the daemon runs. For Program::configure.
void add_certificates(Plan& plan, const settings::Tls& tls);

// What happens to the certificates later is in the log: `tls.reloaded`, `tls.problem`.
class ServerTls {
public:
    // For Program::prepare: keys may be root's alone. An error: the files are no certificate with its key, or
    // there are none although one of `listeners` begins with TLS.
    Result<void> load(const settings::Tls& tls, std::span<const settings::Listener> listeners);
    // For Program::reload.
    void reload();
    // Null when no certificate is configured.
    const std::shared_ptr<net::TlsServerContext>& context() const { return context_; }

private:
    std::shared_ptr<net::TlsServerContext> context_;
};

}  // namespace mailstead::runtime
