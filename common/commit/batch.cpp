#include "common/commit/batch.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

namespace mailstead::commit {
namespace {

constexpr int kMostRepeats = 64;
constexpr std::uint64_t kPageSize = 4096;

// LMDB says EIO for a write that came out short, too, as on a disk that has just become full.
bool may_lack_space(const Error& error) {
    return error.fault == Fault::disk_full || error.fault == Fault::damaged;
}

}  // namespace

Result<void> Batch::apply(std::vector<std::unique_ptr<Waiting>> waiting, std::uint64_t least_number) {
    waiting_ = std::move(waiting);
    least_number_ = least_number;
    for (auto& one : waiting_) one->refused.resize(one->parts.size());
    Result<void> failure;
    for (int repeat = 0; repeat < kMostRepeats; ++repeat) {
        if (apply_all(failure) == Attempt::done) return failure;
        undo();
        if (wants_growth_ != nullptr) TRY_VOID(wants_growth_->env->grow());
    }
    return transient_error("a batch had to be done again too often");
}

Batch::Attempt Batch::apply_all(Result<void>& failure) {
    outcomes_.assign(waiting_.size(), {});
    applied_.clear();
    wants_growth_ = nullptr;
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
        if (apply_transaction(i) == Attempt::done) continue;
        if (wants_growth_ == nullptr) {
            // What comes after has to wait, so that each repetition gets at least one transaction further.
            for (std::size_t later = i + 1; later < waiting_.size(); ++later)
                rest_.push_back(std::move(waiting_[later]));
            std::rotate(rest_.begin(), rest_.end() - static_cast<std::ptrdiff_t>(waiting_.size() - i - 1),
                        rest_.end());
            waiting_.resize(i + 1);
        }
        return Attempt::again;
    }
    return stamp(failure);
}

Batch::Attempt Batch::apply_transaction(std::size_t index) {
    Waiting& waiting = *waiting_[index];
    Outcome& outcome = outcomes_[index];
    outcome.assign(waiting.parts.size(), {});
    if (waiting.refused_whole) {
        for (auto& part : outcome) part.result = *waiting.refused_whole;
        return Attempt::done;
    }
    const std::size_t applied_before = applied_.size();
    for (std::size_t i = 0; i < waiting.parts.size(); ++i) {
        const Part& part = waiting.parts[i];
        Waiting::Refused& refused = waiting.refused[i];
        bool left_writes = false;
        bool good = false;
        if (refused.part) {
            outcome[i].result = *refused.part;
        } else {
            good = apply_part(index, i, part, outcome[i], left_writes);
            if (wants_growth_ != nullptr) return Attempt::again;
            if (left_writes) {
                refused.part = outcome[i].result.error();
                return Attempt::again;
            }
        }
        if (!good && !part.otherwise.empty()) {
            outcome[i].took_otherwise = true;
            outcome[i].refusal = outcome[i].result.error();
            if (refused.otherwise) {
                outcome[i].result = *refused.otherwise;
            } else {
                good = apply_part(index, i, part.otherwise.front(), outcome[i], left_writes);
                if (wants_growth_ != nullptr) return Attempt::again;
                if (left_writes) {
                    refused.otherwise = outcome[i].result.error();
                    return Attempt::again;
                }
            }
        }
        if (good || waiting.atomicity == Atomicity::each_alone) continue;
        // All or nothing, and this is the end of it.
        const Error why = outcome[i].result.error();
        const bool wrote = std::any_of(applied_.begin() + static_cast<std::ptrdiff_t>(applied_before),
                                       applied_.end(), [](const AppliedPart& p) { return p.journaled; });
        if (wrote) {
            waiting.refused_whole = why;
            return Attempt::again;
        }
        applied_.resize(applied_before);
        refuse_transaction(index, why);
        return Attempt::done;
    }
    return Attempt::done;
}

void Batch::refuse_transaction(std::size_t index, const Error& why) {
    for (auto& part : outcomes_[index]) {
        part = PartOutcome();
        part.result = why;
    }
}

std::vector<std::uint64_t> Batch::file_sizes(std::size_t transaction) const {
    std::vector<std::uint64_t> sizes;
    for (const PreparedFile& file : waiting_[transaction]->prepared) sizes.push_back(file.size);
    return sizes;
}

bool Batch::apply_part(std::size_t transaction, std::size_t index, const Part& part, PartOutcome& outcome,
                       bool& left_writes) {
    Result<Holding*> found = holdings_.get(part.environment);
    if (!found) {
        const bool may_do_without = found.error().fault == Fault::set_aside &&
                                    holdings_.on_damage(part.environment) == OnDamage::begin_anew;
        outcome.result = found.error();
        if (may_do_without) outcome.result = std::string();  // no reason to refuse the others
        blame(part.environment, found.error());
        return may_do_without;
    }
    Holding& holding = **found;
    if (Result<void> begun = begin(holding); !begun) {
        outcome.result = begun.error();
        blame(part.environment, begun.error());
        return false;
    }
    const std::uint64_t before = holding.transaction->writes();
    ApplyContext context(file_sizes(transaction), false);
    outcome.result = holding.environment->apply(*holding.transaction, part.payload, context);
    for (const FileStep& step : context.steps()) {
        if (outcome.result && step.kind == FileStep::Kind::link_file && step.file >= context.file_count()) {
            outcome.result = permanent_error("the change names a message file that did not come with it");
        }
    }
    const bool wrote = holding.transaction->writes() != before;
    if (holding.transaction->wants_growth()) {
        wants_growth_ = &holding;
        return false;
    }
    if (!outcome.result) {
        left_writes = wrote;
        blame(part.environment, outcome.result.error());
        return false;
    }
    const bool journaled = wrote || !context.steps().empty();
    applied_.push_back({&holding, transaction, index, &part.payload, std::move(context.steps()), journaled});
    return true;
}

Result<void> Batch::begin(Holding& holding) {
    if (holding.transaction) return {};
    if (holding.env->is_broken())
        return transient_error("the index of " + holding.key + " refuses writes after an error of its disk",
                               Fault::damaged);
    TRY(transaction, holding.env->write());
    holding.transaction.emplace(std::move(transaction));
    open_.push_back(&holding);
    return {};
}

void Batch::blame(const std::string& environment, const Error& why) {
    if (why.fault == Fault::damaged) troubled_.emplace_back(environment, why);
}

Batch::Attempt Batch::stamp(Result<void>& failure) {
    number_ = least_number_;
    for (const Holding* holding : open_) number_ = std::max(number_, holding->last_batch + 1);
    std::vector<Holding*> touched;
    for (const AppliedPart& part : applied_) {
        if (part.journaled && (touched.empty() || touched.back() != part.holding))
            touched.push_back(part.holding);
    }
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    for (Holding* holding : touched) {
        const Result<void> stamped = write_stamp(*holding->env, *holding->transaction, number_);
        if (stamped) continue;
        if (holding->transaction->wants_growth()) {
            wants_growth_ = holding;
            return Attempt::again;
        }
        failure = stamped.error();
        return Attempt::done;
    }
    // The others were only asked.
    for (Holding* holding : open_) {
        if (!std::binary_search(touched.begin(), touched.end(), holding)) {
            holding->transaction->abort();
            holding->transaction.reset();
        }
    }
    std::erase_if(open_, [](const Holding* holding) { return !holding->transaction; });
    return Attempt::done;
}

bool Batch::changes_anything() const {
    return std::any_of(applied_.begin(), applied_.end(),
                       [](const AppliedPart& part) { return part.journaled; });
}

Record Batch::record() const {
    Record record;
    record.batch = number_;
    std::unordered_map<const Holding*, std::size_t> indexes;
    std::size_t last_transaction = waiting_.size();
    for (const AppliedPart& part : applied_) {
        if (!part.journaled) continue;
        const auto [entry, is_new] = indexes.emplace(part.holding, record.environments.size());
        if (is_new) {
            const std::string_view meta =
                part.holding->journaled ? std::string_view() : std::string_view(part.holding->meta.bytes);
            record.environments.push_back({part.holding->key, meta});
        }
        if (part.transaction != last_transaction) {
            last_transaction = part.transaction;
            RecordedTransaction transaction;
            for (const PreparedFile& file : waiting_[part.transaction]->prepared) {
                if (file.staged.empty()) {
                    transaction.files.push_back({false, *file.content, file.size});
                } else {
                    transaction.files.push_back({true, file.staged, file.size});
                }
            }
            record.transactions.push_back(std::move(transaction));
        }
        record.transactions.back().parts.push_back({entry->second, *part.payload, part.steps});
    }
    return record;
}

void Batch::mark_journaled() {
    for (const AppliedPart& part : applied_) {
        if (part.journaled) part.holding->journaled = true;
    }
}

Result<void> Batch::link() {
    for (const AppliedPart& part : applied_) {
        for (const FileStep& step : part.steps) {
            if (step.kind == FileStep::Kind::remove) continue;
            const Result<void> linked = link_step(part, step);
            if (linked) continue;
            for (const auto& path : linked_) files_.remove(path);
            linked_.clear();
            return linked;
        }
    }
    return {};
}

Result<void> Batch::link_step(const AppliedPart& part, const FileStep& step) {
    const std::filesystem::path to = options_.root / step.to;
    if (step.kind == FileStep::Kind::link_file) {
        const PreparedFile& file = waiting_[part.transaction]->prepared[step.file];
        TRY_VOID(name_file(files_, file.descriptor.get(), file.size, to, !file.staged.empty()));
        linked_.push_back(to);
        return {};
    }
    // A rename, too, begins with a second name: where that fails nothing is lost, and until the commit the
    // index is right with the first.
    const std::filesystem::path from = options_.root / step.from;
    FileDescriptor present;
    if (step.kind == FileStep::Kind::rename && files_.open(from, O_RDONLY, 0, present) == ENOENT) return {};
    const bool existed = files_.open(to, O_RDONLY, 0, present) == 0;
    TRY_VOID(name_again(files_, from, to));
    if (!existed) linked_.push_back(to);
    return {};
}

void Batch::commit() {
    for (Holding* holding : open_) {
        Result<void> committed = holding->transaction->commit();
        bool wants_growth = holding->transaction->wants_growth();
        holding->transaction.reset();
        for (int attempt = 0; !committed && attempt < kMostRepeats; ++attempt) {
            holding->environment->after_undo();
            if (wants_growth) {
                if (!holding->env->grow()) break;
            } else if (!may_lack_space(committed.error()) || !make_room_()) {
                break;
            }
            committed = commit_again(*holding, wants_growth);
        }
        if (!committed) {
            holding->environment->after_undo();
            // What could not be written is not there; what is there is whole.
            Error why = committed.error();
            why.fault = Fault::none;
            troubled_.emplace_back(holding->key, std::move(why));
            continue;
        }
        holding->last_batch = number_;
        ++holding->commits;
        const std::uint64_t grown = (holding->env->pages() - holding->pages_at_checkpoint) * kPageSize;
        grew_much_ = grew_much_ || holding->commits >= options_.checkpoint_commits ||
                     grown >= options_.checkpoint_growth;
        holding->environment->after_commit();
    }
    open_.clear();
}

// The journal holds the batch: the environment must have it too.
Result<void> Batch::commit_again(Holding& holding, bool& wants_growth) {
    TRY(transaction, holding.env->write());
    const auto done = [&]() -> Result<void> {
        for (const AppliedPart& part : applied_) {
            if (part.holding != &holding || !part.journaled) continue;
            ApplyContext context(file_sizes(part.transaction), false);
            TRY_VOID(holding.environment->apply(transaction, *part.payload, context));
        }
        TRY_VOID(write_stamp(*holding.env, transaction, number_));
        return transaction.commit();
    }();
    wants_growth = transaction.wants_growth();
    return done;
}

void Batch::undo() {
    for (Holding* holding : open_) {
        holding->transaction->abort();
        holding->transaction.reset();
        holding->environment->after_undo();
    }
    open_.clear();
}

std::string Batch::run_after_steps() {
    const auto run = [this](const std::vector<FileStep>& steps) {
        if (!holdings_.hold().is_active()) return commit::run_after_steps(files_, options_.root, steps);
        return commit::run_after_steps(files_, options_.root, holdings_.hold().defer_removals(steps));
    };
    std::string failures;
    for (const AppliedPart& part : applied_) failures += run(part.steps);
    return failures;
}

std::vector<std::string> Batch::staged_names(bool journaled) const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
        for (const PreparedFile& file : waiting_[i]->prepared) {
            if (file.staged.empty()) continue;
            const bool recorded = std::any_of(applied_.begin(), applied_.end(), [&](const AppliedPart& p) {
                return p.transaction == i && p.journaled;
            });
            if (recorded == journaled) names.push_back(file.staged);
        }
    }
    return names;
}

std::vector<std::string> Batch::changed_environments() const {
    std::vector<std::string> keys;
    for (const AppliedPart& part : applied_) {
        if (part.journaled && part.holding->last_batch == number_) keys.push_back(part.holding->key);
    }
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
}

void Batch::answer() {
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
        if (waiting_[i]->completion) waiting_[i]->completion(std::move(outcomes_[i]));
    }
    waiting_.clear();
}

void Batch::refuse_all(const Error& why) {
    for (auto& waiting : waiting_) refuse(*waiting, why);
    waiting_.clear();
}

}  // namespace mailstead::commit
