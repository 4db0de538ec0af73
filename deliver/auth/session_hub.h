// Ends and lists the sessions that the daemons have: deliver knows none itself, but whom to ask.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "common/directory/authenticator.h"
#include "common/ipc/session_messages.h"
#include "common/net/task.h"
#include "common/runtime/offload.h"
#include "deliver/auth/wait.h"

namespace mailstead::deliver {

// Each io thread of a daemon is a connection that polls for orders. Thread-safe.
class SessionHub {
public:
    // Both outlive it.
    SessionHub(const directory::Authenticator& authenticator, runtime::OffloadPool& pool);

    // See ipc::SessionOrders.
    std::uint64_t epoch() const;

    // ---- for daemons
    net::Task<ipc::SessionOrders> poll(ipc::SessionPoll poll, std::uint64_t connection);
    net::Task<ipc::SessionVerdicts> check(ipc::SessionCheck question);
    void take_result(ipc::SessionResult result, std::uint64_t connection);
    void forget(std::uint64_t connection);

    // ---- for the administrator: each asks all daemons and waits for them, at most some seconds
    net::Task<ipc::SessionsEnded> account_changed(AccountId account);
    net::Task<ipc::SessionsEnded> kick(ipc::SessionSelector which);
    net::Task<ipc::WhoAnswer> who(AccountId account);

    // Polls are answered at once from now on. Any thread.
    void request_stop();

private:
    struct Link {
        std::vector<ipc::SessionOrder> orders;
        bool check_all = false;
        std::shared_ptr<Wait> polling;
    };
    struct Errand {
        std::set<std::uint64_t> outstanding;  // connections
        std::uint64_t ended = 0;
        std::size_t octets = 0;  // of `sessions`
        bool more = false;
        std::vector<ipc::SessionFacts> sessions;
        std::shared_ptr<Wait> waiting;
    };

    static void wake(const std::shared_ptr<Wait>& waiting);
    ipc::SessionOrders take_orders(Link& link) const;
    net::Task<Errand> send_out(decltype(ipc::SessionOrder::what) what);
    static void done_with(Errand& errand, std::uint64_t connection);

    const directory::Authenticator& authenticator_;
    runtime::OffloadPool& pool_;
    mutable std::mutex mutex_;
    std::uint64_t epoch_;
    std::uint64_t last_errand_ = 0;
    bool stopping_ = false;
    std::map<std::uint64_t, Link> links_;      // by connection
    std::map<std::uint64_t, Errand> errands_;  // under way
};

}  // namespace mailstead::deliver
