#include "common/commit/engine.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <future>

#include "common/commit/committer.h"

namespace mailstead::commit {
namespace {

constexpr std::size_t kMostPayload = std::size_t{4} << 20;
constexpr std::size_t kMostParts = 4096;
constexpr std::size_t kMostFiles = 1024;
constexpr std::size_t kOverhead = 512;  // of a transaction in memory and in the journal, roughly

EngineOptions checked(EngineOptions options) {
    // A batch must fit a segment.
    options.max_batch_bytes = std::min<std::size_t>(options.max_batch_bytes, options.segment_size / 4);
    return options;
}

// Bytes it may take in memory; nullopt: beyond the bounds.
std::optional<std::size_t> weight(const Transaction& transaction) {
    if (transaction.parts.size() > kMostParts || transaction.files.size() > kMostFiles) return std::nullopt;
    std::size_t payload = 0;
    for (const Part& part : transaction.parts) {
        if (part.otherwise.size() > 1) return std::nullopt;
        payload += part.payload.size() + part.environment.size();
        for (const Part& other : part.otherwise) payload += other.payload.size() + other.environment.size();
    }
    if (payload > kMostPayload) return std::nullopt;
    return payload + kOverhead;
}

}  // namespace

class Engine::Impl {
public:
    Impl(EngineOptions options, FileLayer* files)
        : options_(checked(std::move(options))),
          files_(files != nullptr ? *files : FileLayer::real()),
          committer_(options_, files_),
          preparer_(files_, options_, [this](std::unique_ptr<Waiting> waiting, bool is_ready) {
              if (is_ready) {
                  committer_.submit(std::move(waiting));
              } else {
                  committer_.release(waiting->admitted);
              }
          }) {}

    void submit(Transaction transaction, Completion completion) {
        auto waiting = std::make_unique<Waiting>();
        const auto bytes = weight(transaction);
        waiting->parts = std::move(transaction.parts);
        waiting->completion = std::move(completion);
        if (!bytes) return refuse(*waiting, permanent_error("a transaction beyond the engine's bounds"));
        waiting->atomicity = transaction.atomicity;
        waiting->is_spare = transaction.is_spare;
        waiting->bytes = *bytes;
        waiting->admitted = *bytes;
        for (const MessageFile& file : transaction.files)
            waiting->admitted += std::min(file.size, kJournaledFileSize);
        waiting->files = std::move(transaction.files);
        if (!committer_.admit(waiting->admitted))
            return refuse(*waiting, transient_error("too many changes are waiting", Fault::busy));
        if (Preparer::is_needed(*waiting)) {
            preparer_.submit(std::move(waiting));
        } else {
            Preparer::prepare_at_once(*waiting);
            committer_.submit(std::move(waiting));
        }
    }

    EngineOptions options_;
    FileLayer& files_;
    Committer committer_;
    Preparer preparer_;
    bool started_ = false;
};

Engine::Engine(EngineOptions options, FileLayer* files)
    : impl_(std::make_unique<Impl>(std::move(options), files)) {}

Engine::~Engine() {
    stop();
}

void Engine::add(std::string kind, Participant& participant) {
    impl_->committer_.add(std::move(kind), participant);
}

Result<RecoveryReport> Engine::start() {
    TRY(report, impl_->committer_.start());
    impl_->preparer_.start();
    impl_->started_ = true;
    return report;
}

void Engine::stop() {
    if (!std::exchange(impl_->started_, false)) return;
    impl_->committer_.stop();  // which waits for what the preparer still has
    impl_->preparer_.stop();
}

void Engine::submit(Transaction transaction, Completion completion) {
    impl_->submit(std::move(transaction), std::move(completion));
}

Outcome Engine::submit_and_wait(Transaction transaction) {
    std::promise<Outcome> promise;
    auto outcome = promise.get_future();
    submit(std::move(transaction), [&promise](Outcome done) { promise.set_value(std::move(done)); });
    return outcome.get();
}

void Engine::checkpoint(std::function<void(Result<void>)> done) {
    impl_->committer_.checkpoint(std::move(done));
}

void Engine::drop(std::string environment, std::function<void(Result<void>)> done) {
    impl_->committer_.drop(std::move(environment), std::move(done));
}

void Engine::hold(std::function<void(Result<std::uint64_t>)> done) {
    impl_->committer_.hold(std::move(done));
}

Result<std::optional<kv::MetaPages>> Engine::held_pages(const std::string& environment) const {
    return impl_->committer_.held().pages(environment);
}

void Engine::unpin() {
    impl_->committer_.held().unpin();
}

void Engine::release() {
    impl_->committer_.release_hold();
}

void Engine::set_aside(std::string environment, Error why, std::function<void(Result<void>)> done) {
    impl_->committer_.set_aside(std::move(environment), std::move(why), std::move(done));
}

void Engine::readmit(std::string environment, std::function<void(Result<void>)> done) {
    impl_->committer_.readmit(std::move(environment), std::move(done));
}

std::vector<SetAside> Engine::set_aside() const {
    return impl_->committer_.set_aside();
}

EngineStatus Engine::status() const {
    return impl_->committer_.status();
}

Result<void> begin_journal(const std::filesystem::path& root, std::uint64_t last_batch,
                           const std::filesystem::path& journal) {
    FileLayer& files = FileLayer::real();
    FileDescriptor control;
    if (files.open(root / journal / "control", O_RDONLY, 0, control) != ENOENT)
        return permanent_error("there is a journal in " + (root / journal).string() + " already");
    const EngineOptions usual;
    TRY(opened, Journal::open(files, {root / journal, usual.segment_size, usual.max_segments}));
    TRY_VOID(opened->set_start(opened->end(), last_batch + 1));
    return opened->mark_clean();  // every environment is as it was written
}

}  // namespace mailstead::commit
