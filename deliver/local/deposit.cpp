#include "deliver/local/deposit.h"

#include "common/queue/change.h"

namespace mailstead::deliver {

commit::Part deposit_part(AccountId account, const Deposit& deposit) {
    store::NewMessage message;
    message.internal_date = deposit.at;
    message.size = deposit.size;
    message.cache = deposit.fetch_cache;
    message.file = deposit.file;
    store::Append append;
    if (deposit.junk) append.to.prefer = store::SpecialUse::junk;
    append.ignore_quota = deposit.ignore_quota;
    append.messages.push_back(std::move(message));
    const store::Change change{deposit.at, std::move(append)};
    return commit::Part{store::environment_of(account), store::encode(change), {}};
}

std::string describe_refusal(const Error& error) {
    const store::Failure failure(error);
    switch (failure.fault) {
        case store::Fault::over_quota:
            return "4.2.2 The mailbox is full";
        case store::Fault::damaged:
        case store::Fault::set_aside:
            return "4.3.0 The mailbox is being repaired";
        case store::Fault::disk_full:
            return "4.3.1 The disk is full";
        case store::Fault::newer_format:
            return "4.3.5 The mailbox was written by a newer version";
        case store::Fault::limit:
            return "4.2.2 The mailbox holds as many messages as it can";
        default:
            if (error.what == queue::kQueueFull) return "4.3.1 The outbound queue is full";
            return "4.3.0 Not possible now, try again later";
    }
}

bool waits_for_repair(const Error& error) {
    const store::Fault fault = store::Failure(error).fault;
    return fault == store::Fault::set_aside || fault == store::Fault::damaged;
}

std::optional<directory::Limits> Quotas::limits_of(AccountId account) const {
    const auto found = directory_.find_account(account);
    if (!found || !*found) return std::nullopt;
    return (*found)->limits;
}

std::optional<commit::Part> Quotas::correction(AccountId account, Time at) {
    const auto limits = limits_of(account);
    if (!limits) return std::nullopt;
    {
        const std::lock_guard lock(mutex_);
        const auto known = confirmed_.find(account);
        if (known != confirmed_.end() && known->second == *limits) return std::nullopt;
    }
    directory::Limits current;
    if (const auto opened = reader_.open(account)) {
        const auto snapshot = opened->snapshot();
        const auto info =
            snapshot ? snapshot->account() : store::Outcome<store::AccountInfo>(snapshot.error());
        if (!info) return std::nullopt;
        current = {info->quota_octets, info->quota_messages, info->quota_mailboxes};
    }
    if (current == *limits) {
        // Only what was read back from the index counts as done.
        const std::lock_guard lock(mutex_);
        confirmed_[account] = *limits;
        return std::nullopt;
    }
    const store::Change change{at, store::SetQuota{limits->octets, limits->messages, limits->mailboxes}};
    return commit::Part{store::environment_of(account), store::encode(change), {}};
}

bool Quotas::would_exceed(AccountId account, std::uint64_t size) {
    const auto limits = limits_of(account);
    if (!limits) return false;
    const auto opened = reader_.open(account);
    if (!opened) return false;
    const auto snapshot = opened->snapshot();
    if (!snapshot) return false;
    const auto info = snapshot->account();
    if (!info) return false;
    return (limits->octets != 0 && info->octets + size > limits->octets) ||
           (limits->messages != 0 && info->entries + 1 > limits->messages);
}

}  // namespace mailstead::deliver
