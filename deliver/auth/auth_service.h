// "Does this proof hold?" for smtpd and imapd, which have no passwords.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "common/directory/authenticator.h"
#include "common/ipc/channel.h"
#include "common/ipc/messages.h"
#include "common/runtime/offload.h"
#include "common/sasl/exchange.h"
#include "deliver/auth/token_service.h"

namespace mailstead::deliver {

// Makes guessing slow without locking anybody out: each failure of one network against one login adds to the
// wait before the next answer for that pair, up to ten seconds; a success, or an hour, ends it. Thread-safe;
// bounded.
class FailureDelays {
public:
    using Clock = std::chrono::steady_clock;
    // How long to hold the answer back.
    std::chrono::milliseconds delay(const std::string& pair, Clock::time_point at);
    void failed(const std::string& pair, Clock::time_point at);
    void succeeded(const std::string& pair);

private:
    struct Count {
        std::uint32_t failures = 0;
        Clock::time_point last;
    };
    std::mutex mutex_;
    std::unordered_map<std::string, Count> counts_;
};

// Thread-safe.
class AuthService {
public:
    // All outlive it. The pool bounds how many Argon2 runs there are at once. `tokens` is null where no
    // issuer is configured.
    AuthService(directory::Authenticator& authenticator, runtime::OffloadPool& pool,
                TokenService* tokens = nullptr)
        : authenticator_(authenticator), pool_(pool), tokens_(tokens) {}

    // One step of a conversation; see ipc::AuthStep. Always answers.
    net::Task<ipc::AuthAnswer> step(ipc::AuthStep step, std::uint64_t connection);
    void cancel(std::uint64_t conversation, std::uint64_t connection);
    // The connection is gone, and its conversations with it.
    void forget(std::uint64_t connection);

private:
    struct Conversation {
        std::uint64_t connection = 0;
        std::chrono::steady_clock::time_point deadline;
        std::unique_ptr<sasl::Exchange> exchange;
        std::string client;  // its network, for delays
    };
    using Held = std::shared_ptr<Conversation>;

    ipc::AuthAnswer begin(const ipc::AuthStep& step, std::uint64_t connection, Held& started);
    Held take(std::uint64_t id, std::uint64_t connection);
    std::uint64_t keep(Held conversation);
    net::Task<ipc::AuthAnswer> proceed(Held conversation, Secret client_bytes, ipc::Service service);
    net::Task<ipc::AuthAnswer> settle(Held conversation, sasl::Outcome outcome, ipc::Service service);
    net::Task<sasl::Outcome> check_token(Held conversation, sasl::CheckToken question);
    net::Task<ipc::AuthAnswer> conclude(Held conversation, sasl::Outcome outcome, ipc::Service service);

    directory::Authenticator& authenticator_;
    runtime::OffloadPool& pool_;
    TokenService* const tokens_;
    FailureDelays delays_;
    std::mutex mutex_;
    std::uint64_t next_id_ = 1;
    std::unordered_map<std::uint64_t, Held> conversations_;
};

}  // namespace mailstead::deliver
