#include "deliver/local/backup_hold.h"

#include <future>

#include "common/runtime/log.h"

namespace mailstead::deliver {
namespace {

ipc::HoldAnswer failed(std::string why) {
    ipc::HoldAnswer answer;
    answer.error = std::move(why);
    return answer;
}

}  // namespace

BackupHold::~BackupHold() {
    stop();
}

void BackupHold::start() {
    thread_ = std::thread([this] { run(); });
}

void BackupHold::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

// Ends what nobody waits for any more.
void BackupHold::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        const auto ends = [this] { return stopping_ || ends_; };
        if (holder_ == 0) {
            wake_.wait(lock, [this] { return stopping_ || holder_ != 0; });
        } else {
            wake_.wait_until(lock, heard_of_ + ipc::kHoldPatience, ends);
        }
        const bool silent = holder_ != 0 && Clock::now() >= heard_of_ + ipc::kHoldPatience;
        if (holder_ != 0 && (ends() || silent)) {
            if (silent) log::warning("backup.hold", {{"why", "the backup has been silent for too long"}});
            lock.unlock();
            {
                const std::lock_guard working(working_);
                end();
            }
            lock.lock();
        }
        if (stopping_) return;
    }
}

void BackupHold::forget(std::uint64_t connection) {
    {
        const std::lock_guard lock(mutex_);
        if (holder_ != connection) return;
        ends_ = true;
    }
    wake_.notify_all();
}

ipc::HoldAnswer BackupHold::handle(const ipc::HoldCommand& command, const ipc::Descriptors& files,
                                   std::uint64_t connection) {
    using Op = ipc::HoldCommand::Op;
    const std::lock_guard working(working_);
    {
        const std::lock_guard lock(mutex_);
        if (command.op == Op::begin && holder_ != 0) return failed("another backup is being made");
        if (command.op == Op::begin && stopping_) return failed("deliver is about to end");
        if (command.op != Op::begin && holder_ != connection)
            return failed("the backup was silent for too long, or deliver was started anew");
        heard_of_ = Clock::now();
    }
    ipc::HoldAnswer answer;
    switch (command.op) {
        case Op::begin: {
            const auto batch = begin(files);
            if (!batch) return failed(batch.error().what);
            answer.batch = *batch;
            const std::lock_guard lock(mutex_);
            holder_ = connection;
            ends_ = false;
            heard_of_ = Clock::now();
            wake_.notify_all();
            break;
        }
        case Op::pages: {
            auto pages = parts_.engine->held_pages(command.environment);
            if (!pages) return failed(pages.error().what);
            if (*pages) answer.meta_pages = std::move((*pages)->bytes);
            break;
        }
        case Op::unpin:
            parts_.engine->unpin();
            break;
        case Op::still_here:
            break;
        case Op::end:
            end();
            break;
    }
    return answer;
}

// The directory and the credentials are written by the administrator, at other times than batches: what they
// hold right after the boundary.
Result<std::uint64_t> BackupHold::begin(const ipc::Descriptors& files) {
    if (files.size() != 2) return permanent_error("two files are expected");
    parts_.housekeeper->pause();
    parts_.removals->pause();
    const auto held = [&]() -> Result<std::uint64_t> {
        std::promise<Result<std::uint64_t>> promise;
        auto reached = promise.get_future();
        parts_.engine->hold([&](Result<std::uint64_t> batch) { promise.set_value(std::move(batch)); });
        TRY(batch, reached.get());
        auto copied = parts_.directory->copy_to(files[0].get());
        if (copied) copied = parts_.credentials->copy_to(files[1].get());
        if (copied) return batch;
        parts_.engine->release();
        return copied.error();
    }();
    if (!held) {
        parts_.housekeeper->resume();
        parts_.removals->resume();
        return held;
    }
    log::info("backup.hold", {{"batch", *held}});
    return held;
}

void BackupHold::end() {
    {
        const std::lock_guard lock(mutex_);
        if (holder_ == 0) return;
        holder_ = 0;
        ends_ = false;
    }
    parts_.engine->release();
    parts_.housekeeper->resume();
    parts_.removals->resume();
    log::info("backup.hold_ended");
}

}  // namespace mailstead::deliver
