// Private to this folder: one batch on its way through apply, journal, links and commit.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/commit/file_steps.h"
#include "common/commit/holdings.h"
#include "common/commit/preparer.h"
#include "common/commit/record.h"

namespace mailstead::commit {

class Batch {
public:
    // `make_room` gives a piece of space free and answers whether there was one.
    Batch(Holdings& holdings, FileLayer& files, const EngineOptions& options, std::function<bool()> make_room)
        : holdings_(holdings), files_(files), options_(options), make_room_(std::move(make_room)) {}
    ~Batch() { undo(); }

    // Applies the transactions, as batch number `least_number` or higher. Some at the end may be left over:
    // take_rest(). An error means that none of them can be done now.
    Result<void> apply(std::vector<std::unique_ptr<Waiting>> waiting, std::uint64_t least_number);
    std::vector<std::unique_ptr<Waiting>> take_rest() { return std::move(rest_); }

    std::uint64_t number() const { return number_; }
    // Whether anything has to be made durable at all.
    bool changes_anything() const;
    Record record() const;
    // The record is in the journal.
    void mark_journaled();

    // Message files get their names. After an error none has.
    Result<void> link();

    // Commits every environment. One that cannot is among the troubled; its changes are in the journal, and
    // their answers stand.
    void commit();
    // Environments that have to be set aside, and why.
    std::vector<std::pair<std::string, Error>> take_troubled() { return std::move(troubled_); }

    // Whether an environment of the batch had so many commits, or grew so much, that a checkpoint is due.
    bool grew_much() const { return grew_much_; }

    // Ends all transactions without a trace.
    void undo();

    // Renames and removals. Text for the log, when something was left undone.
    std::string run_after_steps();

    // Names under which large files were staged: of transactions in the journal, and of refused ones.
    std::vector<std::string> staged_names(bool journaled) const;
    std::vector<std::string> changed_environments() const;

    // Calls the completions: each with its outcome, or all with an error.
    void answer();
    void refuse_all(const Error& why);
    std::size_t transactions() const { return waiting_.size(); }

private:
    struct AppliedPart {
        Holding* holding = nullptr;
        std::size_t transaction = 0;
        std::size_t index = 0;  // of the part in its transaction
        const std::string* payload = nullptr;
        std::vector<FileStep> steps;
        bool journaled = false;
    };
    enum class Attempt { done, again };

    Attempt apply_all(Result<void>& failure);
    Attempt apply_transaction(std::size_t index);
    bool apply_part(std::size_t transaction, std::size_t index, const Part& part, PartOutcome& outcome,
                    bool& left_writes);
    void refuse_transaction(std::size_t index, const Error& why);
    Result<void> link_step(const AppliedPart& part, const FileStep& step);
    Result<void> begin(Holding& holding);
    Attempt stamp(Result<void>& failure);
    Result<void> commit_again(Holding& holding, bool& wants_growth);
    void blame(const std::string& environment, const Error& why);
    std::vector<std::uint64_t> file_sizes(std::size_t transaction) const;

    Holdings& holdings_;
    FileLayer& files_;
    const EngineOptions& options_;
    std::uint64_t number_ = 0;
    std::uint64_t least_number_ = 1;
    Holding* wants_growth_ = nullptr;
    bool grew_much_ = false;
    std::vector<std::unique_ptr<Waiting>> waiting_;
    std::vector<std::unique_ptr<Waiting>> rest_;
    std::vector<Outcome> outcomes_;
    std::vector<AppliedPart> applied_;
    std::vector<Holding*> open_;  // holdings with a transaction of this batch
    std::function<bool()> make_room_;
    std::vector<std::pair<std::string, Error>> troubled_;
    std::vector<std::filesystem::path> linked_;
};

}  // namespace mailstead::commit
