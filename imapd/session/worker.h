// What the sessions of one io thread share: the way to deliver, the accounts, and who wants to hear of
// changes.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/ipc/channel.h"
#include "common/ipc/notices.h"
#include "common/ipc/session_book.h"
#include "common/store/shares.h"
#include "imapd/session/backend.h"
#include "imapd/session/login_service.h"

namespace mailstead::imapd {

// How many sessions each account has, on all threads.
class SessionCounts {
public:
    explicit SessionCounts(std::size_t limit) : limit_(limit) {}
    bool enter(AccountId account);
    void leave(AccountId account);

private:
    std::mutex mutex_;
    std::unordered_map<AccountId, std::size_t> counts_;
    const std::size_t limit_;
};

// Messages whose file is lost, each told of once; so many, then the oldest are told of again.
class LostBodies {
public:
    // Whether it is news.
    bool add(AccountId account, std::string_view mailbox, Uid uid);

private:
    std::mutex mutex_;
    std::set<std::string> known_;
};

// What all workers have in common. Outlives them.
struct Shared {
    std::filesystem::path data_dir;
    store::Reader& reader;
    const store::SharesReader& shares;
    runtime::OffloadPool& pool;
    SessionCounts counts;
    LostBodies lost_bodies;
    std::uint64_t append_limit = 0;
    bool fulltext = false;            // the accounts' full-text indexes are asked
    std::uint32_t message_limit = 0;  // RFC 9738; 0: none
    std::uint32_t save_limit = 0;
    // Of the directory; any thread.
    std::function<std::vector<std::string>(AccountId)> hidden_capabilities;
    // Of the directory; any thread. See Backend.
    std::function<Result<std::optional<AccountId>>(std::string_view)> account_of;
    std::function<Result<std::optional<std::string>>(AccountId)> address_of;
    std::function<bool(AccountId)> is_admin;
    std::string hostname;
    std::atomic<bool> recovered{false};  // deliver has brought the indexes in order since the machine started
};

class Worker final : public Backend, public LoginService {
public:
    Worker(boost::asio::io_context& context, Shared& shared, ipc::ClientOptions deliver);
    ~Worker() override;

    // LoginService
    net::Task<Result<ipc::AuthAnswer>> step(ipc::AuthStep step) override;
    void cancel(ipc::AuthCancel cancel) override;

    // Backend
    net::Task<store::Outcome<store::AccountReader>> open(AccountId account) override;
    net::Task<store::Outcome<store::ChangeResult>> apply(AccountId account, store::Change change,
                                                         std::vector<FileDescriptor> files) override;
    Result<FileDescriptor> new_message_file() override;
    std::vector<std::string> hidden_capabilities(AccountId account) override;
    bool join(AccountId account, Listening& session) override;
    void leave(AccountId account, Listening& session) override;
    void enlist(ipc::LiveSession& session, const std::string& id, AccountId account,
                const Proof& proof) override {
        book_.enter(session, id, account, proof.credential, proof.epoch);
    }
    void delist(const std::string& id) override { book_.leave(id); }
    void watch(AccountId account, Listening& session) override;
    void unwatch(AccountId account, Listening& session) override;
    store::Outcome<std::optional<AccountId>> account_of(std::string_view login) override;
    store::Outcome<std::optional<std::string>> address_of(AccountId account) override;
    store::Outcome<std::vector<AccountId>> sharers(AccountId with) override;
    store::Outcome<bool> is_sharer(AccountId owner, AccountId with) override;
    void report_lost_body(AccountId account, const MailboxName& mailbox, Uid uid) override;
    runtime::OffloadPool& pool() override { return shared_.pool; }
    std::uint64_t append_limit() const override { return shared_.append_limit; }
    std::optional<std::filesystem::path> fulltext_index(AccountId account) const override;
    std::uint32_t message_limit() const override { return shared_.message_limit; }
    std::uint32_t save_limit() const override { return shared_.save_limit; }
    std::string hostname() const override { return shared_.hostname; }
    bool is_admin(AccountId account) override { return shared_.is_admin(account); }

    // Whether deliver has taken note.
    net::Task<bool> report(ipc::DamageReport report);
    ipc::SessionBook& book() { return book_; }

    // Wakes the sessions of an account, or all. On this worker's thread.
    void announce(const ipc::ChangeNotice& notice);
    void announce_all();

private:
    void report_damage(AccountId account, const std::string& why);

    Shared& shared_;
    ipc::Client deliver_;
    ipc::SessionBook book_;
    std::unordered_map<AccountId, std::vector<Listening*>> sessions_;
};

}  // namespace mailstead::imapd
