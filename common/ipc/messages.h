// Every message between the daemons. Values with a strict binary form: decode() refuses unknown enumerators,
// lengths over the bounds, and bytes left over, since a daemon that talks to strangers may have been taken
// over.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/credential.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/ipc/envelope.h"
#include "common/net/socket_address.h"

namespace mailstead::ipc {

// Goes up with every change of a message; both sides must be the same (they are installed together).
inline constexpr std::uint32_t kProtocolVersion = 3;

enum class MessageType : std::uint8_t {
    hello = 1,
    auth_step,
    auth_answer,
    auth_cancel,
    deliver_message,
    deliver_answer,
    apply_change,
    change_answer,
    ledger_line,
    quota_question,
    quota_answer,
    queue_command,
    queue_answer,
    status_question,
    status_answer,
    account_gone,
    damage_report,
    account_changed,
    sessions_ended,
    session_poll,
    session_orders,
    session_check,
    session_verdicts,
    session_result,
    who_question,
    who_answer,
    kick_command,
    done,     // answer without content
    refused,  // answer of the channel itself: handler failed, or the type is not served
    hold_command,
    hold_answer,
    undelete_messages,
    undelete_answer,
};
bool is_known(MessageType type);
std::string_view to_string(MessageType type);
// Payloads that carry proofs and keys: the channel overwrites its copies.
bool is_sensitive(MessageType type);

enum class Service : std::uint8_t { smtp, submission, imap, pop3, admin };
std::string_view to_string(Service service);

// First on every connection, both ways.
struct Hello {
    static constexpr MessageType kType = MessageType::hello;
    std::uint32_t version = kProtocolVersion;
    std::string program;
    Secret key{};  // that of the client's role, see roles.h; the server's Hello has none
    std::string encode() const;
    static Parsed<Hello> decode(std::string_view bytes);
};

// The answer that says only "it happened".
struct Done {
    static constexpr MessageType kType = MessageType::done;
    std::string encode() const { return {}; }
    static Parsed<Done> decode(std::string_view bytes);
};

struct Refused {
    static constexpr MessageType kType = MessageType::refused;
    std::string reason;
    std::string encode() const;
    static Parsed<Refused> decode(std::string_view bytes);
};

// One answer out of the four that AuthStep can get.
struct AuthChallenge {
    Secret bytes;                    // for the client, before base64
    std::uint64_t conversation = 0;  // for the next step
};
struct AuthSuccess {
    AccountId account;
    std::string login;   // canonical login address
    Secret final_bytes;  // SCRAM's server-final-message; empty for mechanisms without one
    Credential credential;
    std::uint64_t epoch = 0;  // of the revocations that the proof knew of, see SessionOrders
};
struct AuthFailure {
    enum class Kind : std::uint8_t {
        malformed,          // not what the mechanism prescribes
        wrong_credentials,  // also for unknown and disabled accounts
        not_authorized,     // the proof holds, but not for whom the client asks to be
    };
    std::string reason;  // for the log; the client hears a fixed text
    Kind kind = Kind::wrong_credentials;
};
struct AuthBusy {
    std::string reason;
};
struct AuthAnswer {
    static constexpr MessageType kType = MessageType::auth_answer;
    std::variant<AuthChallenge, AuthSuccess, AuthFailure, AuthBusy> outcome;
    std::string encode() const;
    static Parsed<AuthAnswer> decode(std::string_view bytes);
};

// What the TLS connection under a login can be bound to (RFC 5929, RFC 9266). Empty: it has none of that
// kind.
struct ChannelBindings {
    std::string tls_exporter;
    std::string tls_unique;
    std::string tls_server_end_point;
};

// One client message of a SASL exchange. A conversation belongs to the connection that started it.
struct AuthStep {
    static constexpr MessageType kType = MessageType::auth_step;
    using Answer = AuthAnswer;
    std::uint64_t conversation = 0;  // 0: a new one
    std::uint64_t attempt = 0;       // for AuthCancel while the answer is awaited; unique on the connection
    Service service = Service::imap;
    net::IpAddress client_ip;
    std::string mechanism;  // upper case; of the first step
    bool has_initial =
        false;  // whether client_bytes of the first step is an initial response (which may be empty)
    Secret client_bytes;       // decoded from base64
    ChannelBindings bindings;  // of the first step; the client chooses among them
    bool under_tls = false;
    std::string encode() const;
    static Parsed<AuthStep> decode(std::string_view bytes);
};

// One way: the client gave up: between two steps (`*`), or while it waited for an answer (it hung up), which
// comes then at once.
struct AuthCancel {
    static constexpr MessageType kType = MessageType::auth_cancel;
    std::uint64_t conversation = 0;
    std::uint64_t attempt = 0;
    std::string encode() const;
    static Parsed<AuthCancel> decode(std::string_view bytes);
};

// Where a message came from.
struct Origin {
    Service service = Service::smtp;
    net::SocketAddress client;
    std::string helo;
    std::string tls_version;  // `TLSv1.3`; empty: plain
    std::string tls_cipher;
    AccountId auth_account;  // zero: nobody logged in
    std::string auth_login;
};

struct DeliverAnswer {
    static constexpr MessageType kType = MessageType::deliver_answer;
    enum class Outcome : std::uint8_t { accepted, transient, permanent };
    Outcome outcome = Outcome::transient;
    std::string text;            // `4.3.1 Mail system full`: enhanced code and text; empty when accepted
    std::uint64_t queue_id = 0;  // of the part that goes on to other servers; zero if none does
    std::string encode() const;
    static Parsed<DeliverAnswer> decode(std::string_view bytes);
};

// A message to take responsibility for. One descriptor: the final bytes, read from offset 0.
struct DeliverMessage {
    static constexpr MessageType kType = MessageType::deliver_message;
    using Answer = DeliverAnswer;
    std::string trace_id;
    Envelope envelope;
    Origin origin;
    std::string verdict;  // `spf=pass dkim=pass dmarc=pass`, for the ledger
    std::uint64_t size = 0;
    Time received{};
    bool junk = false;  // file into the junk mailbox
    std::string encode() const;
    static Parsed<DeliverMessage> decode(std::string_view bytes);
};

struct ChangeAnswer {
    static constexpr MessageType kType = MessageType::change_answer;
    std::uint8_t error =
        0;  // 0: done, and `bytes` is the result; else a store error code, and `bytes` its text
    std::string bytes;
    std::string encode() const;
    static Parsed<ChangeAnswer> decode(std::string_view bytes);
};

// A change to an account's mailboxes; common/store knows what the bytes mean. One descriptor for each message
// appended.
struct ApplyChange {
    static constexpr MessageType kType = MessageType::apply_change;
    using Answer = ChangeAnswer;
    AccountId account;
    std::string change;
    std::string encode() const;
    static Parsed<ApplyChange> decode(std::string_view bytes);
};

// One way: a line for a message's ledger.
struct LedgerLine {
    static constexpr MessageType kType = MessageType::ledger_line;
    std::string trace_id;
    Time time{};
    std::string stage;
    std::vector<std::pair<std::string, std::string>> fields;  // at most 64
    std::string encode() const;
    static Parsed<LedgerLine> decode(std::string_view bytes);
};

struct QuotaAnswer {
    static constexpr MessageType kType = MessageType::quota_answer;
    bool over = false;
    std::string encode() const;
    static Parsed<QuotaAnswer> decode(std::string_view bytes);
};

// Whether a message of `size` bytes still fits.
struct QuotaQuestion {
    static constexpr MessageType kType = MessageType::quota_question;
    using Answer = QuotaAnswer;
    AccountId account;
    std::uint64_t size = 0;
    std::string encode() const;
    static Parsed<QuotaQuestion> decode(std::string_view bytes);
};

struct QueueAnswer {
    static constexpr MessageType kType = MessageType::queue_answer;
    std::uint64_t count = 0;  // entries touched
    std::string error;        // empty: none
    std::string encode() const;
    static Parsed<QueueAnswer> decode(std::string_view bytes);
};

struct QueueCommand {
    static constexpr MessageType kType = MessageType::queue_command;
    using Answer = QueueAnswer;
    enum class Op : std::uint8_t { retry, hold, release, remove };
    struct All {};
    struct ToDomain {
        std::string domain;
    };
    struct ToRecipient {
        std::string address;
    };
    using Selector = std::variant<All, QueueId, ToDomain, ToRecipient>;
    Op op = Op::retry;
    Selector selector;
    std::string encode() const;
    static Parsed<QueueCommand> decode(std::string_view bytes);
};

// Something that is out of service until it is whole again: an account, the queue, the ledger.
struct Repair {
    std::string environment;  // `account/7`, `queue`, ...
    std::string address;      // of an account, as far as it is known
    std::string why;
    Time since{};
    std::uint8_t percent = 0;    // of the repair under way
    std::uint32_t failures = 0;  // attempts at repairing it that failed
    std::string last_failure;    // empty: none
    friend bool operator==(const Repair&, const Repair&) = default;
};

struct StatusAnswer {
    static constexpr MessageType kType = MessageType::status_answer;
    std::vector<std::pair<std::string, std::uint64_t>> numbers;  // at most 1,000
    std::vector<Repair> repairs;                                 // the first 1,000
    std::string encode() const;
    static Parsed<StatusAnswer> decode(std::string_view bytes);
};

struct StatusQuestion {
    static constexpr MessageType kType = MessageType::status_question;
    using Answer = StatusAnswer;
    std::string encode() const { return {}; }
    static Parsed<StatusQuestion> decode(std::string_view bytes);
};

// The admin removed an account, or said when its mail goes: what is due is deleted before the answer, Done.
struct AccountGone {
    static constexpr MessageType kType = MessageType::account_gone;
    using Answer = Done;
    AccountId account;
    std::string encode() const;
    static Parsed<AccountGone> decode(std::string_view bytes);
};

// imapd met damage in an account. deliver looks for itself what to do about it. Answered with Done.
struct DamageReport {
    static constexpr MessageType kType = MessageType::damage_report;
    using Answer = Done;
    enum class Kind : std::uint8_t {
        index,  // cannot be opened
        body,   // the file of one message is lost
        crash,  // imapd died reading the index
    };
    AccountId account;
    Kind kind = Kind::index;
    std::string what;  // for the log
    std::string encode() const;
    static Parsed<DamageReport> decode(std::string_view bytes);
};

}  // namespace mailstead::ipc
