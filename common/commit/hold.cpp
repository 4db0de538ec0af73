#include "common/commit/hold.h"

#include <utility>

namespace mailstead::commit {

Result<Hold::Held> Hold::pin(const std::shared_ptr<kv::Env>& env) {
    Held held;
    held.env = env;
    TRY(pin, env->pin());
    TRY(pages, env->read_meta_pages());
    held.pin = std::move(pin);
    held.pages = std::move(pages);
    return held;
}

Result<void> Hold::begin() {
    const std::lock_guard lock(mutex_);
    if (active_) return transient_error("a backup is being made already");
    active_ = pinning_ = true;
    broken_.reset();
    return {};
}

Result<void> Hold::take(const std::string& key, const std::shared_ptr<kv::Env>& env) {
    TRY(held, pin(env));
    const std::lock_guard lock(mutex_);
    held_.insert_or_assign(key, std::move(held));
    return {};
}

void Hold::opened(const std::string& key, const std::shared_ptr<kv::Env>& env) {
    if (!is_active()) return;
    const std::lock_guard lock(mutex_);
    // Closed and opened again: what was pinned first counts.
    if (!pinning_ || broken_ || held_.contains(key)) return;
    auto held = pin(env);
    if (held) {
        held_.emplace(key, *std::move(held));
    } else {
        broken_ = held.error();
    }
}

std::vector<FileStep> Hold::defer_removals(const std::vector<FileStep>& steps) {
    std::vector<FileStep> rest;
    const std::lock_guard lock(mutex_);
    for (const FileStep& step : steps) {
        const bool waits = active_ && step.kind == FileStep::Kind::remove;
        (waits ? removals_ : rest).push_back(step);
    }
    return rest;
}

Result<std::optional<kv::MetaPages>> Hold::pages(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    if (!active_ || !pinning_)
        return transient_error("the backup took too long: its state is not kept any more");
    if (broken_) return *broken_;
    const auto found = held_.find(key);
    if (found == held_.end()) return std::optional<kv::MetaPages>();
    return std::optional(found->second.pages);
}

void Hold::unpin() {
    std::map<std::string, Held> held;  // closed without the lock
    const std::lock_guard lock(mutex_);
    pinning_ = false;
    held.swap(held_);
}

std::vector<FileStep> Hold::end() {
    unpin();
    const std::lock_guard lock(mutex_);
    active_ = false;
    return std::exchange(removals_, {});
}

}  // namespace mailstead::commit
