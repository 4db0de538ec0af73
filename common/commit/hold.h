// Private to this folder: a batch boundary that a backup reads while commits go on.
//
// What is open at that moment is pinned and its meta pages are kept; what is opened later is pinned as it is
// opened, before anyone writes to it. So the file of an environment that was not opened since is at the
// boundary as it lies, and of any other the pages are there. Files are not removed until the end: the
// snapshots name them. The price is that files of environments grow while they are pinned.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/commit/participant.h"
#include "common/kv/env.h"

namespace mailstead::commit {

class Hold {
public:
    // The committer's thread. begin() also answers an error when there is one already.
    Result<void> begin();
    Result<void> take(const std::string& key, const std::shared_ptr<kv::Env>& env);
    // An environment is opened: pinned while there is a hold. An error leaves the hold broken, and harms
    // nobody else.
    void opened(const std::string& key, const std::shared_ptr<kv::Env>& env);
    // While there is a hold: the steps without the removals, which end() gives back.
    std::vector<FileStep> defer_removals(const std::vector<FileStep>& steps);
    bool is_active() const { return active_.load(std::memory_order_relaxed); }

    // Any thread. The environment's meta pages at the boundary; nullopt when it was not opened since. An
    // error when there is no hold, or it broke.
    Result<std::optional<kv::MetaPages>> pages(const std::string& key) const;
    // The environments are copied: they need not be kept any more.
    void unpin();
    // The paths, relative to the root, whose removal waited.
    std::vector<FileStep> end();

private:
    struct Held {
        std::shared_ptr<kv::Env> env;
        kv::Pin pin;
        kv::MetaPages pages;
    };
    static Result<Held> pin(const std::shared_ptr<kv::Env>& env);

    std::atomic<bool> active_{false};
    mutable std::mutex mutex_;
    bool pinning_ = false;
    std::optional<Error> broken_;
    std::map<std::string, Held> held_;
    std::vector<FileStep> removals_;
};

}  // namespace mailstead::commit
