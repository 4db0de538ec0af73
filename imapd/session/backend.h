// What a session needs from outside once somebody has logged in. Tests bring their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file_descriptor.h"
#include "common/base/ids.h"
#include "common/net/task.h"
#include "common/store/store.h"
#include "imapd/session/proof.h"

namespace mailstead::runtime {
class OffloadPool;
}
namespace mailstead::ipc {
class LiveSession;
}

namespace mailstead::imapd {

// A session that hears of changes. Called on the session's own thread.
class Listening {
public:
    virtual ~Listening() = default;
    // Anything may have changed, in any account.
    virtual void on_change() = 0;
    // The same when it is known which mailboxes of which account changed; empty: any of it.
    virtual void on_change_in(AccountId /*account*/, std::span<const MailboxId> /*mailboxes*/) {
        on_change();
    }
};

// Belongs to one io thread, as its sessions do.
class Backend {
public:
    virtual ~Backend() = default;

    // The account for reading. Makes it if it has no index yet.
    virtual net::Task<store::Outcome<store::AccountReader>> open(AccountId account) = 0;
    // Sends a change to the writer and waits until it is durable. The files of an Append, in order.
    virtual net::Task<store::Outcome<store::ChangeResult>> apply(AccountId account, store::Change change,
                                                                 std::vector<FileDescriptor> files) = 0;
    // An unnamed file on the file system of the mailboxes, for a message that comes in.
    virtual Result<FileDescriptor> new_message_file() = 0;
    // Capabilities that this account must not be offered.
    virtual std::vector<std::string> hidden_capabilities(AccountId account) = 0;

    // False when the account has too many sessions. A session that joined is told of changes until it leaves.
    virtual bool join(AccountId account, Listening& session) = 0;
    virtual void leave(AccountId account, Listening& session) = 0;

    // While it is enlisted, the administrator can see and end the session, and it ends when its login is
    // revoked.
    virtual void enlist(ipc::LiveSession& /*session*/, const std::string& /*id*/, AccountId /*account*/,
                        const Proof& /*proof*/) {}
    virtual void delist(const std::string& /*id*/) {}

    // Like join(), for changes of another account, without counting as one of its sessions. Each watch() has
    // its unwatch().
    virtual void watch(AccountId account, Listening& session) = 0;
    virtual void unwatch(AccountId account, Listening& session) = 0;

    // Whose login or address this is; nullopt: nobody's here.
    virtual store::Outcome<std::optional<AccountId>> account_of(std::string_view login) = 0;
    // The address of an account; nullopt: there is none (any more).
    virtual store::Outcome<std::optional<std::string>> address_of(AccountId account) = 0;
    // Accounts that share mailboxes with this one, or did at some time: their indexes know more.
    virtual store::Outcome<std::vector<AccountId>> sharers(AccountId with) = 0;
    // Whether `owner` is one of them.
    virtual store::Outcome<bool> is_sharer(AccountId owner, AccountId with) = 0;

    // The file of a message is lost: said once for each message.
    virtual void report_lost_body(AccountId, const MailboxName&, Uid) {}

    // For reading files that are not in memory, and for parsing.
    virtual runtime::OffloadPool& pool() = 0;
    // Where the full-text index of an account lies; nullopt: do not ask it.
    virtual std::optional<std::filesystem::path> fulltext_index(AccountId) const { return std::nullopt; }
    // Bytes of the largest message that APPEND takes.
    virtual std::uint64_t append_limit() const = 0;
    // The name by which absolute URLs call this server (RFC 5092); empty: they are not taken.
    virtual std::string hostname() const { return {}; }

    // Whether the account may set the quotas of all (RFC 9208, 4.1.3).
    virtual bool is_admin(AccountId) { return false; }

    // Messages that one command may work on, and that one COPY or APPEND may store (RFC 9738); 0: any number.
    virtual std::uint32_t message_limit() const { return 0; }
    virtual std::uint32_t save_limit() const { return 0; }
    // Mailboxes that one session may watch (RFC 5465, 5.8).
    virtual std::size_t watch_limit() const { return 5'000; }
    // How often a command that takes long says so (RFC 9585).
    virtual std::chrono::milliseconds progress_interval() const { return std::chrono::seconds(10); }
};

}  // namespace mailstead::imapd
