// Private to this folder: an open environment of the directory's or the credentials', which is opened anew
// when its file was restored from its copy.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "common/base/result.h"
#include "common/kv/env.h"

namespace mailstead::directory {

// Thread-safe.
template <class Databases>
class Environment {
public:
    struct Opened {
        std::shared_ptr<kv::Env> env;
        Databases databases;
    };
    using Open = std::function<Result<Opened>()>;

    // Opens at once.
    static Result<std::unique_ptr<Environment>> open(Open how) {
        TRY(opened, how());
        return std::unique_ptr<Environment>(new Environment(std::move(how), std::move(opened)));
    }

    // What is open now. Looks once a second whether the file was replaced; as long as the new one cannot be
    // opened, that is the answer.
    Result<std::shared_ptr<const Opened>> get() const {
        const std::lock_guard lock(mutex_);
        const auto now = Clock::now();
        if (now >= look_at_) {
            look_at_ = now + kInterval;
            if (opened_->env->is_replaced()) {
                look_at_ = now;
                TRY(again, how_());
                opened_ = std::make_shared<const Opened>(std::move(again));
                look_at_ = now + kInterval;
            }
        }
        return opened_;
    }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds kInterval{1};

    Environment(Open how, Opened opened)
        : how_(std::move(how)), opened_(std::make_shared<const Opened>(std::move(opened))) {}

    Open how_;
    mutable std::mutex mutex_;
    mutable Clock::time_point look_at_ = Clock::now() + kInterval;
    mutable std::shared_ptr<const Opened> opened_;
};

}  // namespace mailstead::directory
