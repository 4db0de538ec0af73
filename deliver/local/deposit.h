// Puts a message into mailboxes here.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/commit/engine.h"
#include "common/directory/directory.h"
#include "common/ipc/envelope.h"
#include "common/store/store.h"

namespace mailstead::deliver {

struct Deposit {
    std::string fetch_cache;  // store::build_fetch_cache() of the message
    std::uint64_t size = 0;   // bytes
    std::uint32_t file = 0;   // the message's number among the transaction's files
    Time at{};
    bool junk = false;          // into the mailbox for spam
    bool ignore_quota = false;  // a report from this host, which its owner must get
};

// The part of a transaction that files the message for an account. What follows "+" in the address is for
// filters: the message goes to INBOX, as senders cannot know which mailboxes there are.
commit::Part deposit_part(AccountId account, const Deposit& deposit);

// Why a message was refused, as SMTP says it: `4.2.2 The mailbox is full`. What a library or the kernel said
// is for the log and is not repeated to strangers.
std::string describe_refusal(const Error& error);
// Whether what was refused is out of service for a while, and mail for it should wait in the queue.
bool waits_for_repair(const Error& error);

// Carries the limits that the directory holds into the accounts' indexes, where they are enforced.
class Quotas {
public:
    // Both outlive it.
    Quotas(const directory::Directory& directory, store::Reader& reader)
        : directory_(directory), reader_(reader) {}

    // The change that brings the account's limit up to date; nullopt when it is.
    std::optional<commit::Part> correction(AccountId account, Time at);
    // Whether `size` more bytes would go over the limit. An account that cannot be read is not over: the
    // commit will tell.
    bool would_exceed(AccountId account, std::uint64_t size);

private:
    std::optional<directory::Limits> limits_of(AccountId account) const;

    const directory::Directory& directory_;
    store::Reader& reader_;
    std::mutex mutex_;
    std::map<AccountId, directory::Limits> confirmed_;
};

}  // namespace mailstead::deliver
