// Whether a proof holds: what imapd and its POP3 side may ask before login. Knows nothing of mailboxes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/ipc/messages.h"
#include "common/net/task.h"

namespace mailstead::net {
class TlsServerContext;
}

namespace mailstead::imapd {

class LoginService {
public:
    virtual ~LoginService() = default;
    // One client message of a SASL exchange; an Error when deliver is away.
    virtual net::Task<Result<ipc::AuthAnswer>> step(ipc::AuthStep step) = 0;
    // The client gave up, between two steps or while it waited for one.
    virtual void cancel(ipc::AuthCancel cancel) = 0;
};

enum class Encryption : std::uint8_t {
    implicit,  // TLS from the first byte
    starttls,  // passwords only after STARTTLS
    none       // the operator allows passwords in clear (a listener on loopback)
};

// What sessions of one listener share.
struct ListenerFacts {
    Encryption encryption = Encryption::starttls;
    std::shared_ptr<net::TlsServerContext> tls;  // null: no certificate is configured
    std::vector<std::string> hidden_capabilities;
    std::string hostname;  // for the greeting
    bool tokens = false;   // OAuth tokens can be checked (RFC 7628)
};

}  // namespace mailstead::imapd
