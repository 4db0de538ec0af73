// "Does this proof hold?" for smtpd and imapd, which have no passwords.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/directory/authenticator.h"
#include "common/ipc/channel.h"
#include "common/ipc/messages.h"
#include "common/runtime/fair_pool.h"
#include "common/sasl/exchange.h"
#include "deliver/auth/login_guard.h"
#include "deliver/auth/token_service.h"
#include "deliver/auth/wait.h"

namespace mailstead::deliver {

// A proof is looked at when LoginGuard says so, and hashed when the pool has a turn for its network; until
// then it can be given up, and costs nothing. Thread-safe; the calls for one connection come on one thread.
class AuthService {
public:
    // Of the revocations so far, see ipc::SessionOrders.
    using Epoch = std::function<std::uint64_t()>;

    // All outlive it. The pool bounds how many Argon2 runs there are at once. `tokens` is null where no
    // issuer is configured.
    AuthService(directory::Authenticator& authenticator, runtime::FairPool& pool,
                TokenService* tokens = nullptr, Epoch epoch = {})
        : authenticator_(authenticator), pool_(pool), tokens_(tokens), epoch_(std::move(epoch)) {}

    // One step of a conversation; see ipc::AuthStep. Always answers.
    net::Task<ipc::AuthAnswer> step(ipc::AuthStep step, std::uint64_t connection);
    // The client gave up. A step that it was waiting for counts as a failure, and answers at once, as busy.
    void cancel(const ipc::AuthCancel& cancel, std::uint64_t connection);
    // The connection is gone, and its conversations with it; nobody is blamed.
    void forget(std::uint64_t connection);
    // Steps that wait answer at once, as busy. Any thread.
    void request_stop();

private:
    struct Conversation {
        std::uint64_t connection = 0;
        std::chrono::steady_clock::time_point deadline;
        std::unique_ptr<sasl::Exchange> exchange;
        LoginOrigin origin;
        std::string client;  // its network, for the log
        ipc::Service service = ipc::Service::imap;
        std::uint64_t epoch = 0;
        // Of the step in hand.
        std::shared_ptr<Wait> wait;
        runtime::FairPool::Ticket ticket = 0;
        std::string login;  // whose proof it is
        bool gone = false;
        bool gave_up = false;  // the client did
    };
    using Held = std::shared_ptr<Conversation>;
    using InHand = std::map<std::pair<std::uint64_t, std::uint64_t>, Held>;
    class Entered;

    ipc::AuthAnswer begin(const ipc::AuthStep& step, std::uint64_t connection, Held& started);
    Held take(std::uint64_t id, std::uint64_t connection);
    std::uint64_t keep(Held conversation);
    void give_up(Conversation& conversation);
    net::Task<ipc::AuthAnswer> proceed(Held conversation, Secret client_bytes);
    // Whether the conversation is still there when its turn has come.
    net::Task<bool> wait_for_turn(Held conversation, std::chrono::milliseconds duration);
    net::Task<sasl::Outcome> prove(Held conversation, Secret client_bytes, runtime::FairPool::Rank rank);
    net::Task<sasl::Outcome> check_token(Held conversation, sasl::CheckToken question);
    net::Task<sasl::TokenVerdict> ask_about(Held conversation, std::shared_ptr<sasl::CheckToken> question);
    ipc::AuthAnswer conclude(const Held& conversation, sasl::Outcome outcome);

    directory::Authenticator& authenticator_;
    runtime::FairPool& pool_;
    TokenService* const tokens_;
    const Epoch epoch_;
    LoginGuard guard_;
    std::mutex mutex_;
    std::uint64_t next_id_ = 1;
    std::uint64_t last_unnamed_ = std::uint64_t{1} << 63;
    bool stopping_ = false;
    std::unordered_map<std::uint64_t, Held> conversations_;  // between two steps
    InHand in_hand_;                                         // by connection and attempt
};

}  // namespace mailstead::deliver
