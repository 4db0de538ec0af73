// Private to this folder: what is done for a transaction's message files before the committer sees it, on a
// few threads that may block.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/commit/engine.h"
#include "common/commit/file_layer.h"

namespace mailstead::commit {

struct PreparedFile {
    FileDescriptor descriptor;
    std::uint64_t size = 0;
    std::shared_ptr<const std::string> content;  // for the journal
    std::string staged;  // or the name (relative to the root) under which it was flushed
};

// A transaction on its way through the engine.
struct Waiting {
    std::vector<Part> parts;
    Atomicity atomicity = Atomicity::together;
    bool is_spare = false;
    std::vector<MessageFile> files;  // until prepared
    std::vector<PreparedFile> prepared;
    Completion completion;
    std::size_t bytes = 0;     // what it takes in the journal, nearly
    std::size_t admitted = 0;  // what was counted for it when it was admitted

    // Refusals found out after the part had written something: it is left out when the batch is done again.
    struct Refused {
        std::optional<Error> part;
        std::optional<Error> otherwise;
    };
    std::vector<Refused> refused;
    std::optional<Error> refused_whole;
};

// Every part gets this error.
void refuse(Waiting& waiting, const Error& why);

class Preparer {
public:
    using Next = std::function<void(std::unique_ptr<Waiting>, bool is_ready)>;
    // `next` is called on one of the threads for each transaction; those that are not ready were refused
    // here.
    Preparer(FileLayer& files, const EngineOptions& options, Next next);
    ~Preparer();

    // Whether the transaction has to come here at all.
    static bool is_needed(const Waiting& waiting);
    // Without any blocking: descriptors and contents change hands.
    static void prepare_at_once(Waiting& waiting);

    void submit(std::unique_ptr<Waiting> waiting);
    void start();
    void stop();  // after what waits is done

private:
    void run();
    Result<void> prepare(Waiting& waiting);
    void forget_staged(const Waiting& waiting);
    Result<PreparedFile> prepare_file(MessageFile file, std::size_t& journaled);
    Result<void> stage(PreparedFile& file);

    FileLayer& files_;
    const EngineOptions& options_;
    Next next_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::unique_ptr<Waiting>> queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
    std::atomic<std::uint64_t> staged_{0};
};

// Prefix of names in the staging folder.
inline constexpr std::string_view kStagedPrefix = "large-";

}  // namespace mailstead::commit
