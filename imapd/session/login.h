// Logging in, for IMAP and POP3 alike: what a connection may be offered, and one SASL exchange at a time.
// Includes nothing of the store: it can only ask whether a proof holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/secret.h"
#include "common/net/stream.h"
#include "imapd/session/login_service.h"
#include "imapd/session/proof.h"

namespace mailstead::imapd {

struct LoginChallenge {
    Secret bytes;  // before base64
};
struct LoginSuccess {
    AccountId account;
    std::string login;
    // What the server has to prove in turn (SCRAM): one more challenge, whose answer must be empty.
    Secret final_bytes;
    Proof proof;
};
struct LoginRefusal {
    enum class Why : std::uint8_t {
        malformed,          // not what the mechanism prescribes
        wrong_credentials,  // also for accounts that do not exist
        not_authorized,     // asks to act as somebody else
        unavailable,        // could not be checked now
    };
    Why why = Why::wrong_credentials;
};
using LoginAnswer = std::variant<LoginChallenge, LoginSuccess, LoginRefusal>;

// One owner, one thread. All that it is given outlives it.
class Login {
public:
    Login(LoginService& service, net::Stream& stream, const ListenerFacts& listener, ipc::Service protocol,
          std::string session_id);

    // RFC 9051, 11.3; RFC 2595, 2.1: passwords only under TLS, or where the operator allows them in clear.
    bool passwords_allowed() const;
    bool starttls_possible() const;
    // What may be offered now, best first.
    std::vector<std::string_view> mechanisms() const;
    bool offers(std::string_view mechanism) const;

    // `mechanism` is one of mechanisms(). No initial response: the server speaks first.
    net::Task<LoginAnswer> begin(std::string mechanism, std::optional<Secret> initial);
    // The plain commands (LOGIN; USER and PASS) are PLAIN by another spelling.
    net::Task<LoginAnswer> with_password(std::string_view user, const Secret& password);
    // The client's answer to the challenge, base64 undone.
    net::Task<LoginAnswer> respond(Secret bytes);
    // The client gave up.
    void cancel();

    // Whether this connection has failed often enough.
    bool too_many_failures() const;

private:
    net::Task<LoginAnswer> step(std::optional<Secret> bytes);
    void hung_up();
    LoginRefusal refuse(const ipc::AuthFailure& failure);
    ipc::ChannelBindings bindings() const;
    bool is_hidden(std::string_view mechanism) const;

    LoginService& service_;
    net::Stream& stream_;
    const ListenerFacts& listener_;
    const ipc::Service protocol_;
    std::string session_id_;
    std::string mechanism_;           // of the exchange in hand
    std::uint64_t conversation_ = 0;  // 0: not begun
    std::uint64_t attempt_ = 0;       // the step in hand, for deliver
    unsigned failures_ = 0;
};

}  // namespace mailstead::imapd
