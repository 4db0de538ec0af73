#include "tests/power/server.h"

#include <fcntl.h>
#include <future>
#include <stdexcept>
#include <unistd.h>

namespace mailstead::power {

Server::Server(std::filesystem::path root, commit::FileLayer* files)
    : root_(std::move(root)), files_(files), accounts_({}, root_), queue_({}, root_) {
    for (const char* folder : {"accounts", "queue", "ledger", "journal", "spool"})
        std::filesystem::create_directories(root_ / folder);
    commit::EngineOptions options;
    options.root = root_;
    options.segment_size = 2u << 20;
    options.max_segments = 8;
    options.max_batch_bytes = 512u << 10;
    options.checkpoint_idle = Milliseconds(600'000);
    options.reserved_space = 1u << 20;
    options.reserve_size = 64u << 10;
    engine_ = std::make_unique<commit::Engine>(options, files_);
    engine_->add("account", accounts_);
    engine_->add("shares", shares_);
    engine_->add("queue", queue_);
    engine_->add("ledger", ledger_);
}

Server::~Server() {
    stop();
}

Result<commit::RecoveryReport> Server::start() {
    TRY(report, engine_->start());
    store::ReaderOptions reading;
    reading.root = root_;
    reading.beside_engine = true;
    reader_ = std::make_unique<store::Reader>(reading);
    follower_ = std::make_unique<store::Follower>(
        root_, *reader_,
        [this](AccountId account, store::Change change) -> store::Outcome<store::ChangeResult> {
            commit::Transaction transaction;
            transaction.parts = {{store::environment_of(account), store::encode(change), {}}};
            const auto outcome = engine_->submit_and_wait(std::move(transaction));
            if (!outcome.at(0).result) return store::Failure(outcome.at(0).result.error());
            return store::decode_result(*outcome.at(0).result);
        },
        files_);
    return report;
}

void Server::stop() {
    follower_.reset();
    reader_.reset();
    engine_.reset();
}

bool Server::checkpoint() {
    std::promise<bool> done;
    engine_->checkpoint([&](const Result<void>& result) { done.set_value(static_cast<bool>(result)); });
    return done.get_future().get();
}

Result<void> Server::readmit(const std::string& environment) {
    std::promise<Result<void>> done;
    engine_->readmit(environment, [&](Result<void> result) { done.set_value(std::move(result)); });
    return done.get_future().get();
}

void Server::follow(std::uint32_t account) {
    (void)follower_->follow(AccountId(account), 6);
}

commit::MessageFile Server::message_file(const std::string& bytes) const {
    commit::MessageFile file;
    file.descriptor = FileDescriptor(::open((root_ / "spool").c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file.descriptor ||
        ::pwrite(file.descriptor.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        throw std::runtime_error("cannot make a message file");
    file.size = bytes.size();
    return file;
}

}  // namespace mailstead::power
