// The server's side of a login. Pure but for the CredentialSource it is given; one owner, not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/credential.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/secret.h"

namespace mailstead::sasl {

struct Proved {
    AccountId account;
    Credential credential;
};

// One pair for each password of an account (RFC 5802, 3). The salt and count are the account's, so that a
// proof can be tried against all.
struct ScramKeyPair {
    std::string stored_key;
    std::string server_key;
};
struct ScramKey : ScramKeyPair {
    Credential credential;
};
struct ScramRecord {
    AccountId account;
    std::string salt;
    std::uint32_t iterations = 0;
    std::vector<ScramKey> keys;
};

// Where an exchange finds out whether a proof holds. Logins come as SASLprep left them.
class CredentialSource {
public:
    virtual ~CredentialSource() = default;
    // nullopt: wrong password, no such account, or one that may not log in. May take tens of milliseconds of
    // CPU.
    virtual Result<std::optional<Proved>> verify_password(std::string_view login,
                                                          std::string_view password) = 0;
    // Whether verify_password() would answer at once, without a slow hash, and well.
    virtual bool remembers(std::string_view /*login*/, std::string_view /*password*/) { return false; }
    // nullopt: no such account, or one that may not log in.
    virtual Result<std::optional<ScramRecord>> scram_record(std::string_view login) = 0;
    // The proof made with this key of a ScramRecord held (StoredKey, RFC 5802, 3).
    virtual void key_proved(AccountId /*account*/, std::string_view /*stored_key*/) {}
    // A secret of this installation that makes up salts for logins that do not exist; the same on every call.
    virtual std::string_view fake_salt_key() const = 0;
};

// What the TLS connection under the exchange offers to bind to. Empty strings: not available.
struct ChannelBindings {
    std::string tls_exporter;          // RFC 9266; TLS 1.3, and 1.2 with extended master secret
    std::string tls_unique;            // RFC 5929, 3; TLS 1.2 and older only
    std::string tls_server_end_point;  // RFC 5929, 4
    bool any() const { return !tls_exporter.empty() || !tls_unique.empty() || !tls_server_end_point.empty(); }
};

enum class FailureReason : std::uint8_t {
    malformed,          // not what the mechanism prescribes: SMTP 501, IMAP BAD
    wrong_credentials,  // SMTP 535, IMAP NO [AUTHENTICATIONFAILED]; also for unknown and disabled accounts
    not_authorized,     // asks to act as somebody else: SMTP 535, IMAP NO [AUTHORIZATIONFAILED]
    channel_mismatch,   // somebody sits between client and server: SMTP 535, IMAP NO [AUTHENTICATIONFAILED]
    temporary,          // could not be checked: SMTP 454, IMAP NO [UNAVAILABLE]
};
std::string_view to_string(FailureReason reason);

struct Challenge {
    std::string bytes;  // not yet base64
};
struct Success {
    AccountId account;
    std::string login;
    Credential credential;
};
struct Failure {
    FailureReason reason = FailureReason::malformed;
    std::string login;  // for rate limits and logs; empty when it was not yet known
};
// A bearer token to be checked by whoever gave it out. The caller asks, and goes on with on_token().
struct CheckToken {
    Secret token;
    std::string login;  // whom the client says it is for; empty: it does not say
};
using Outcome = std::variant<Challenge, Success, Failure, CheckToken>;

struct TokenVerdict {
    enum class Status : std::uint8_t {
        valid,
        invalid,             // unknown, expired, not for us
        insufficient_scope,  // valid, but not for mail
        not_authorized,      // somebody else's, or of nobody who may log in here
        unavailable,         // could not be checked
    };
    Status status = Status::unavailable;
    AccountId account;
    std::string login;
};

// What a client without a good token is told (RFC 7628, 3.2.2).
struct OAuthFacts {
    std::string scope;          // that a token must have; empty: any
    std::string discovery_url;  // of the issuer's metadata; empty: none
};

// What a step would do.
struct Ahead {
    enum class Work : std::uint8_t {
        none,   // parses
        proof,  // checks a proof, in microseconds
        hash,   // hashes a password: tens of milliseconds and megabytes, on a pool
    };
    Work work = Work::none;
    std::string login;  // whose proof
};

// Client messages are at most this long, base64 undone (bounds what is held for a stranger).
constexpr std::size_t kMaxClientMessage = 8192;

class Exchange {
public:
    virtual ~Exchange() = default;
    // The client's next message, base64 undone; the initial response counts as one. For a mechanism in which
    // the client speaks first and that came without initial response, the caller sends an empty challenge and
    // passes the answer. After Success or Failure the exchange is over. Blocks as long as the
    // CredentialSource does.
    virtual Outcome step(std::string_view client_message) = 0;
    // After CheckToken alone.
    virtual Outcome on_token(const TokenVerdict& /*verdict*/) { return Failure{}; }
    // What step() with this message would do, so that the caller can decide when and where. Blocks for a read
    // of the CredentialSource at most.
    virtual Ahead look_ahead(std::string_view /*client_message*/) const { return {}; }
    // What to send before the client's first message: empty for all but LOGIN.
    virtual std::string first_challenge() const { return {}; }
};

// What a server offers, best first. The -PLUS variant only with channel bindings, OAUTHBEARER and XOAUTH2
// where tokens can be checked.
enum class Tokens : bool { no, yes };
std::vector<std::string_view> mechanisms(const ChannelBindings& bindings, Tokens tokens = Tokens::no);

// nullptr: unknown mechanism, -PLUS without channel bindings, or a mechanism with tokens without `oauth`. The
// name may come in any case. `source` and `oauth` must outlive the exchange.
std::unique_ptr<Exchange> start_exchange(std::string_view mechanism, CredentialSource& source,
                                         ChannelBindings bindings, const OAuthFacts* oauth = nullptr);

}  // namespace mailstead::sasl
