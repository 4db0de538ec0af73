// What deliver and the daemons say to each other about the sessions that are going on: which ones have to end
// because the proof they began with holds no more, and who is there.
//
// deliver knows no sessions. Each io thread of smtpd and imapd asks it for orders and waits for the answer;
// what came of an order goes back under its number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/ipc/messages.h"

namespace mailstead::ipc {

inline constexpr std::size_t kMaxSessionsInMessage = 500;
inline constexpr std::size_t kMaxSessionOrders = 256;  // in one answer

enum class EndReason : std::uint8_t {
    credential,  // the password was changed, the app password removed
    account_locked,
    account_removed,
    administrator,  // kicked
};
// What the client is told.
std::string_view to_sentence(EndReason reason);

struct SessionVerdicts {
    static constexpr MessageType kType = MessageType::session_verdicts;
    std::vector<std::pair<std::string, EndReason>> ended;  // ids of those that must end
    std::string encode() const;
    static Parsed<SessionVerdicts> decode(std::string_view bytes);
};

// Do the proofs that these sessions began with still hold?
struct SessionCheck {
    static constexpr MessageType kType = MessageType::session_check;
    using Answer = SessionVerdicts;
    struct Claim {
        std::string id;
        AccountId account;
        Credential credential;
    };
    std::vector<Claim> claims;  // at most kMaxSessionsInMessage
    std::string encode() const;
    static Parsed<SessionCheck> decode(std::string_view bytes);
};

// Which sessions are meant.
struct SessionsOf {
    AccountId account;
};
struct SessionNamed {
    std::string id;
};
struct SessionsFrom {
    net::IpAddress address;
};
using SessionSelector = std::variant<SessionsOf, SessionNamed, SessionsFrom>;

struct SessionOrder {
    struct Recheck {  // by SessionCheck
        AccountId account;
    };
    struct Describe {
        AccountId account;  // zero: of all accounts
    };
    struct End {
        SessionSelector which;
    };
    std::uint64_t task = 0;  // for the SessionResult
    std::variant<Recheck, Describe, End> what;
};

struct SessionOrders {
    static constexpr MessageType kType = MessageType::session_orders;
    // Grows with every revocation. A session whose AuthSuccess has a smaller one than its daemon has seen may
    // have missed a Recheck, and is looked at on its own.
    std::uint64_t epoch = 0;
    bool check_all = false;  // more happened than could be kept
    std::vector<SessionOrder> orders;
    std::string encode() const;
    static Parsed<SessionOrders> decode(std::string_view bytes);
};

// "What shall I do?" The answer comes when there is something to do, or after a while; to the first of a
// connection at once, and orders are kept for it from then on.
struct SessionPoll {
    static constexpr MessageType kType = MessageType::session_poll;
    using Answer = SessionOrders;
    bool first = false;
    std::string encode() const;
    static Parsed<SessionPoll> decode(std::string_view bytes);
};

// One session, for people. Texts of clients are cut, not refused.
struct SessionFacts {
    std::string id;
    Service service = Service::imap;
    AccountId account;
    std::string login;
    std::string client;  // `Thunderbird 128.0`, as it calls itself; empty: it does not
    net::SocketAddress peer;
    std::string tls;  // `TLSv1.3`; empty: none
    Time since{};
    Time last_time{};          // of the last command
    std::string last_command;  // `UID FETCH`
    std::string mailbox;       // selected; empty: none
    Credential credential;
};

// One way: what came of an order, in pieces of at most kMaxSessionsInMessage sessions.
struct SessionResult {
    static constexpr MessageType kType = MessageType::session_result;
    std::uint64_t task = 0;
    std::uint64_t count = 0;  // sessions that were ended
    bool last = false;
    std::vector<SessionFacts> sessions;
    std::string encode() const;
    static Parsed<SessionResult> decode(std::string_view bytes);
};

struct SessionsEnded {
    static constexpr MessageType kType = MessageType::sessions_ended;
    std::uint64_t count = 0;
    std::uint64_t silent = 0;  // threads of daemons that did not answer in time
    std::string encode() const;
    static Parsed<SessionsEnded> decode(std::string_view bytes);
};

// The admin changed credentials or state of an account, or removed it: sessions that this concerns end before
// the answer comes.
struct AccountChanged {
    static constexpr MessageType kType = MessageType::account_changed;
    using Answer = SessionsEnded;
    AccountId account;
    std::string encode() const;
    static Parsed<AccountChanged> decode(std::string_view bytes);
};

struct KickCommand {
    static constexpr MessageType kType = MessageType::kick_command;
    using Answer = SessionsEnded;
    SessionSelector which;
    std::string encode() const;
    static Parsed<KickCommand> decode(std::string_view bytes);
};

struct WhoAnswer {
    static constexpr MessageType kType = MessageType::who_answer;
    std::vector<SessionFacts> sessions;
    bool more = false;         // than an answer holds
    std::uint64_t silent = 0;  // threads of daemons that did not answer in time
    std::string encode() const;
    static Parsed<WhoAnswer> decode(std::string_view bytes);
};

struct WhoQuestion {
    static constexpr MessageType kType = MessageType::who_question;
    using Answer = WhoAnswer;
    AccountId account;  // zero: all
    std::string encode() const;
    static Parsed<WhoQuestion> decode(std::string_view bytes);
};

}  // namespace mailstead::ipc
