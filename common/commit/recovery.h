// Private to this folder: what happens before the first commit. docs/architecture.md, "Checkpoints and
// recovery".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/commit/engine.h"
#include "common/commit/file_layer.h"
#include "common/commit/holdings.h"
#include "common/commit/journal.h"
#include "common/commit/record.h"

namespace mailstead::commit {

class Recovery {
public:
    Recovery(const EngineOptions& options, FileLayer& files, Holdings& holdings, Journal& journal, int root)
        : options_(options), files_(files), holdings_(holdings), journal_(journal), root_(root) {}

    // Brings every environment and message file to what the journal says, makes that durable and empties the
    // journal. May be cut short anywhere and done again.
    Result<RecoveryReport> run();

    std::uint64_t next_batch() const { return next_batch_; }

private:
    struct Touched {
        std::string key;
        std::string meta_pages;
        std::size_t first_frame = 0;  // records before were of an environment dropped since
        bool is_gone = false;         // nobody knows it any more
        std::uint64_t last_batch = 0;
    };
    // The file steps of one part, in the order in which they have to be done.
    struct Steps {
        std::size_t frame = 0;
        std::size_t transaction = 0;
        std::vector<FileStep> steps;
    };

    Result<void> read_journal();
    void find_touched();
    Result<void> return_to_checkpoint();
    Result<void> find_missing();
    Result<void> journal_missing_anew();
    Result<void> apply_missing(Touched& touched);
    Result<void> apply_frame(Touched& touched, Holding& holding, std::size_t frame,
                             std::vector<Steps>& steps);
    void redo_steps();
    void redo_link(const Steps& at, const FileStep& step);
    std::optional<FileDescriptor> recorded_file(const RecordedFile& file,
                                                const std::filesystem::path& folder);
    bool is_whole(int fd, const RecordedFile& file);
    Result<void> finish();
    Result<void> sync();
    bool is_missing(const Touched& touched, std::size_t frame) const;
    void log(const std::string& line) const;

    const EngineOptions& options_;
    FileLayer& files_;
    Holdings& holdings_;
    Journal& journal_;
    int root_;
    RecoveryReport report_;
    std::uint64_t next_batch_ = 1;
    std::vector<std::string> frames_;
    std::vector<Record> records_;
    std::set<std::uint64_t> revoked_;
    std::vector<Touched> touched_;
    std::vector<Steps> steps_;
};

}  // namespace mailstead::commit
