#include "common/commit/preparer.h"

#include <cerrno>
#include <fcntl.h>

#include "common/base/secret.h"
#include "common/base/text.h"

namespace mailstead::commit {
namespace {

constexpr std::size_t kMostJournaledPerTransaction = std::size_t{4} << 20;

bool has_content(const MessageFile& file) {
    return file.content && file.content->size() == file.size && file.size <= kJournaledFileSize;
}

}  // namespace

void refuse(Waiting& waiting, const Error& why) {
    Outcome outcome(waiting.parts.size());
    for (auto& part : outcome) part.result = why;
    if (waiting.completion) waiting.completion(std::move(outcome));
}

Preparer::Preparer(FileLayer& files, const EngineOptions& options, Next next)
    : files_(files), options_(options), next_(std::move(next)) {}

Preparer::~Preparer() {
    stop();
}

bool Preparer::is_needed(const Waiting& waiting) {
    std::size_t journaled = 0;
    for (const MessageFile& file : waiting.files) {
        if (!has_content(file)) return true;
        journaled += file.size;
    }
    return journaled > kMostJournaledPerTransaction;
}

void Preparer::prepare_at_once(Waiting& waiting) {
    for (MessageFile& file : waiting.files) {
        waiting.bytes += file.size;
        waiting.prepared.push_back({std::move(file.descriptor), file.size, std::move(file.content), {}});
    }
    waiting.files.clear();
}

void Preparer::start() {
    stopping_ = false;
    for (std::size_t i = 0; i < std::max<std::size_t>(1, options_.preparing_threads); ++i)
        threads_.emplace_back([this] { run(); });
}

void Preparer::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
}

void Preparer::submit(std::unique_ptr<Waiting> waiting) {
    {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(waiting));
    }
    changed_.notify_one();
}

void Preparer::run() {
    for (;;) {
        std::unique_ptr<Waiting> waiting;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
            if (queue_.empty()) return;
            waiting = std::move(queue_.front());
            queue_.pop_front();
        }
        const Result<void> prepared = prepare(*waiting);
        if (!prepared) {
            forget_staged(*waiting);
            refuse(*waiting, prepared.error());
        }
        next_(std::move(waiting), prepared.has_value());
    }
}

void Preparer::forget_staged(const Waiting& waiting) {
    for (const PreparedFile& file : waiting.prepared) {
        if (!file.staged.empty()) files_.remove(options_.root / file.staged);
    }
}

Result<void> Preparer::prepare(Waiting& waiting) {
    std::size_t journaled = 0;
    bool staged = false;
    for (MessageFile& file : waiting.files) {
        TRY(prepared, prepare_file(std::move(file), journaled));
        staged = staged || !prepared.staged.empty();
        waiting.bytes += prepared.content ? prepared.content->size() : 0;
        waiting.prepared.push_back(std::move(prepared));
    }
    waiting.files.clear();
    if (!staged) return {};
    const auto path = options_.root / options_.staging;
    if (const int rc = flush_folder(files_, path))
        return transient_error("cannot sync " + path.string() + ": " + errno_text(rc));
    return {};
}

Result<PreparedFile> Preparer::prepare_file(MessageFile file, std::size_t& journaled) {
    PreparedFile prepared{std::move(file.descriptor), file.size, nullptr, {}};
    std::uint64_t size = 0;
    if (const int rc = files_.size_of(prepared.descriptor.get(), size))
        return transient_error("message file: " + errno_text(rc));
    if (size != file.size) return transient_error("message file has another size than was said");
    if (size > kJournaledFileSize || journaled + size > kMostJournaledPerTransaction) {
        TRY_VOID(stage(prepared));
        return prepared;
    }
    journaled += size;
    if (has_content(file)) {
        prepared.content = std::move(file.content);
        return prepared;
    }
    auto content = std::make_shared<std::string>();
    if (const int rc = files_.read(prepared.descriptor.get(), 0, size, *content))
        return transient_error("message file: " + errno_text(rc));
    if (content->size() != size) return transient_error("message file was cut while it was read");
    prepared.content = std::move(content);
    return prepared;
}

Result<void> Preparer::stage(PreparedFile& file) {
    const std::string name =
        std::string(kStagedPrefix) + text::hex(random_bytes(8)) + "-" + std::to_string(++staged_);
    file.staged = (options_.staging / name).string();
    const auto path = options_.root / file.staged;
    if (const int rc = files_.link_descriptor(file.descriptor.get(), path)) {
        return transient_error("cannot name a large message " + path.string() + ": " + errno_text(rc));
    }
    if (const int rc = files_.flush(file.descriptor.get())) {
        files_.remove(path);
        return transient_error("cannot sync a large message: " + errno_text(rc));
    }
    return {};
}

}  // namespace mailstead::commit
