#include "deliver/local/removals.h"

#include <future>
#include <optional>
#include <string>

#include "common/runtime/log.h"
#include "deliver/local/sharing.h"

namespace mailstead::deliver {
namespace {

constexpr auto kLook = std::chrono::minutes(10);
// Whoever had the account open when it was removed may ask for one more change, which makes its folder anew.
constexpr int kAttempts = 5;

template <class Ask>
Result<void> wait_for(Ask ask) {
    std::promise<Result<void>> done;
    auto answer = done.get_future();
    ask([&](Result<void> result) { done.set_value(std::move(result)); });
    return answer.get();
}

}  // namespace

Removals::~Removals() {
    stop();
}

void Removals::start() {
    thread_ = std::thread([this] { run(); });
}

void Removals::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Removals::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        lock.unlock();
        if (const auto done = delete_due(now()); !done)
            log::warning("account.delete", {{"why", done.error().what}});
        lock.lock();
        wake_.wait_for(lock, kLook, [this] { return stopping_; });
    }
}

void Removals::pause() {
    const std::lock_guard lock(deleting_);
    paused_ = true;
}

void Removals::resume() {
    const std::lock_guard lock(deleting_);
    paused_ = false;
}

Result<void> Removals::delete_due(Time now) {
    const std::lock_guard lock(deleting_);
    if (paused_) return {};  // a later look finds it
    TRY(removed, parts_.directory->removed_accounts());
    std::optional<Error> failure;
    for (const directory::RemovedAccount& each : removed) {
        if (!each.delete_at || *each.delete_at > now) continue;
        const auto done = remove(each.account.id);
        if (!done && !failure) failure = done.error();
        if (done) {
            log::info("account.deleted",
                      {{"account", each.account.id.value}, {"address", each.account.login.unicode()}});
        }
    }
    if (failure) return *std::move(failure);
    return {};
}

// The record in the directory goes last, when not even a power cut brings anything back: interrupted
// anywhere, all of this is done again.
Result<void> Removals::remove(AccountId account) {
    TRY(begun, parts_.directory->begin_deletion(account, now()));
    if (!begun) return {};
    commit::Transaction forget;
    forget.parts.push_back(part(store::ForgetSharer{account}));
    for (const auto& outcome : parts_.engine->submit_and_wait(std::move(forget))) TRY_VOID(outcome.result);
    const std::filesystem::path folder = parts_.data_dir / "accounts" / std::to_string(account.value);
    std::error_code error;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        parts_.reader->close(account, {store::Fault::non_existent, "the account is gone"});
        TRY_VOID(wait_for(
            [&](auto done) { parts_.engine->drop(store::environment_of(account), std::move(done)); }));
        std::filesystem::remove_all(folder, error);
        if (error) return transient_error("cannot remove " + folder.string() + ": " + error.message());
        TRY_VOID(wait_for([&](auto done) { parts_.engine->checkpoint(std::move(done)); }));
        if (std::filesystem::exists(folder, error)) continue;
        TRY_VOID(parts_.credentials->remove_account(account));
        return parts_.directory->forget_removed(account);
    }
    return transient_error(folder.string() + " comes back: something still writes to it");
}

}  // namespace mailstead::deliver
