#include "common/commit/recovery.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <tuple>
#include <unordered_map>

#include "common/commit/file_steps.h"
#include "common/commit/preparer.h"

namespace mailstead::commit {

void Recovery::log(const std::string& line) const {
    if (options_.log) options_.log(line);
}

Result<RecoveryReport> Recovery::run() {
    // A machine that does not tell its boot may have lost power at any time.
    const std::string boot = files_.boot_id();
    report_.power_was_cut = boot.empty() || journal_.control().boot_id != boot || journal_.control().suspect;
    TRY_VOID(read_journal());
    find_touched();
    if (report_.power_was_cut) {
        TRY_VOID(return_to_checkpoint());
    } else if (!records_.empty()) {
        // The page cache outlived the process: what was committed is whole, and this makes it the ground that
        // no later power cut can take away.
        TRY_VOID(sync());
    }
    TRY_VOID(find_missing());
    if (!report_.power_was_cut) TRY_VOID(journal_missing_anew());
    for (Touched& touched : touched_) TRY_VOID(apply_missing(touched));
    redo_steps();
    TRY_VOID(finish());
    return report_;
}

Result<void> Recovery::read_journal() {
    TRY_VOID(journal_.scan([this](std::string payload) { frames_.push_back(std::move(payload)); }));
    next_batch_ = std::max<std::uint64_t>(1, journal_.control().next_batch);
    std::uint64_t highest = 0;
    for (const std::string& frame : frames_) {
        auto record = decode_record(frame);
        if (!record) return permanent_error("the journal was written by another version of Mailstead");
        if (record->kind == Record::Kind::revoke) revoked_.insert(record->batch);
        if (record->kind == Record::Kind::batch) {
            // Numbers rise. One that does not is the copy of a batch above: a recovery journaled it anew and
            // was ended before the journal began with the copies. Both would be applied.
            if (record->batch <= highest) continue;
            highest = record->batch;
            ++report_.batches_found;
        }
        next_batch_ = std::max(next_batch_, record->batch + 1);
        records_.push_back(std::move(*record));
    }
    return {};
}

void Recovery::find_touched() {
    std::unordered_map<std::string_view, std::size_t> index;
    for (std::size_t frame = 0; frame < records_.size(); ++frame) {
        const Record& record = records_[frame];
        if (record.kind == Record::Kind::drop) {
            if (const auto found = index.find(record.dropped); found != index.end()) {
                touched_[found->second].is_gone = true;  // what comes before
                index.erase(found);
            }
            continue;
        }
        for (const RecordedEnvironment& environment : record.environments) {
            const auto [entry, is_new] = index.emplace(environment.key, touched_.size());
            if (is_new)
                touched_.push_back(
                    {std::string(environment.key), std::string(environment.meta_pages), frame, false, 0});
        }
    }
    std::erase_if(touched_, [](const Touched& touched) { return touched.is_gone; });
}

Result<void> Recovery::return_to_checkpoint() {
    for (Touched& touched : touched_) {
        const auto place = holdings_.locate(touched.key);
        if (!place) {
            log("recovery: " + touched.key + " is passed over: " + place.error().what);
            touched.is_gone = true;
            continue;
        }
        if (touched.meta_pages.empty())
            return permanent_error("the journal names no checkpoint for " + touched.key);
        TRY_VOID(kv::restore_meta_pages(place->directory, {touched.meta_pages}));
    }
    return {};
}

Result<void> Recovery::find_missing() {
    for (Touched& touched : touched_) {
        if (touched.is_gone) continue;
        if (const auto place = holdings_.locate(touched.key); !place) {
            log("recovery: " + touched.key + " is passed over: " + place.error().what);
            touched.is_gone = true;
            continue;
        }
        TRY(holding, holdings_.get(touched.key));
        touched.last_batch = holding->last_batch;
        touched.meta_pages = holding->meta.bytes;
        holdings_.close(touched.key);
    }
    return {};
}

bool Recovery::is_missing(const Touched& touched, std::size_t frame) const {
    const Record& record = records_[frame];
    return record.kind == Record::Kind::batch && !touched.is_gone && frame >= touched.first_frame &&
           record.batch > touched.last_batch && !revoked_.contains(record.batch);
}

// A process that died leaves at most a few changes journaled and not committed. They get records of their
// own, with the state that was just synced as their checkpoint, before anything is written: a power cut
// during this recovery then finds a whole journal, too.
Result<void> Recovery::journal_missing_anew() {
    const Position start = journal_.end();
    std::vector<Record> anew;
    std::set<std::string_view> named;
    for (std::size_t frame = 0; frame < records_.size(); ++frame) {
        Record record = records_[frame];
        std::vector<bool> missing;
        for (RecordedEnvironment& environment : record.environments) {
            const auto touched = std::find_if(touched_.begin(), touched_.end(),
                                              [&](const Touched& t) { return t.key == environment.key; });
            missing.push_back(touched != touched_.end() && is_missing(*touched, frame));
            if (missing.back())
                environment.meta_pages =
                    named.insert(environment.key).second ? std::string_view(touched->meta_pages) : "";
        }
        if (std::find(missing.begin(), missing.end(), true) == missing.end()) continue;
        for (RecordedTransaction& transaction : record.transactions) {
            std::erase_if(transaction.parts,
                          [&](const RecordedPart& part) { return !missing[part.environment]; });
        }
        anew.push_back(std::move(record));
    }
    if (anew.empty()) return {};
    FrameBuffer buffer;
    for (const Record& record : anew) {
        buffer.clear();
        encode_record(buffer, record);
        if (!journal_.has_room(buffer.payload_size())) return {};  // then without this second net
        TRY_VOID(journal_.append(buffer));
    }
    return journal_.set_start(start, next_batch_);
}

Result<void> Recovery::apply_missing(Touched& touched) {
    if (touched.is_gone) {
        ++report_.changes_skipped;
        return {};
    }
    Holding* holding = nullptr;
    for (std::size_t frame = touched.first_frame; frame < records_.size(); ++frame) {
        if (!is_missing(touched, frame)) continue;
        if (holding == nullptr) {
            TRY(opened, holdings_.get(touched.key));
            holding = opened;
        }
        // The map may have to grow, as at the first time.
        for (int attempt = 0;; ++attempt) {
            std::vector<Steps> steps;
            const Result<void> applied = apply_frame(touched, *holding, frame, steps);
            if (applied) {
                std::move(steps.begin(), steps.end(), std::back_inserter(steps_));
                break;
            }
            holding->environment->after_undo();
            if (attempt > 20) return applied;
            TRY_VOID(holding->env->grow());
        }
    }
    holdings_.close(touched.key);
    return {};
}

Result<void> Recovery::apply_frame(Touched& touched, Holding& holding, std::size_t frame,
                                   std::vector<Steps>& steps) {
    const Record& record = records_[frame];
    TRY(transaction, holding.env->write());
    std::size_t applied_changes = 0;
    for (std::size_t i = 0; i < record.transactions.size(); ++i) {
        const RecordedTransaction& recorded = record.transactions[i];
        std::vector<std::uint64_t> sizes;
        for (const RecordedFile& file : recorded.files) sizes.push_back(file.size);
        for (const RecordedPart& part : recorded.parts) {
            if (record.environments[part.environment].key != touched.key) continue;
            ApplyContext context(sizes, true);
            const std::uint64_t before = transaction.writes();
            const auto result = holding.environment->apply(transaction, part.payload, context);
            if (result) {
                ++applied_changes;
                steps.push_back({frame, i, std::move(context.steps())});
                continue;
            }
            if (transaction.wants_growth()) return result.error();
            // It was applied before, to the same state. Whatever made it differ must not keep everything else
            // from starting.
            if (transaction.writes() != before)
                return permanent_error("recovery of " + touched.key + ": " + result.error().what);
            ++report_.changes_skipped;
            log("recovery: a change of " + touched.key + " is passed over: " + result.error().what);
        }
    }
    TRY_VOID(write_stamp(*holding.env, transaction, record.batch));
    TRY_VOID(transaction.commit());
    report_.changes_applied += applied_changes;
    holding.environment->after_commit();
    return {};
}

void Recovery::redo_steps() {
    // The process may have died between its last commit and the renames after it.
    if (!report_.power_was_cut) {
        const auto last = std::find_if(records_.rbegin(), records_.rend(),
                                       [](const Record& r) { return r.kind == Record::Kind::batch; });
        if (last != records_.rend() && !revoked_.contains(last->batch)) {
            for (const auto& transaction : last->transactions) {
                for (const auto& part : transaction.parts) {
                    const auto key = last->environments[part.environment].key;
                    const bool committed =
                        std::any_of(touched_.begin(), touched_.end(), [&](const Touched& touched) {
                            return touched.key == key && !touched.is_gone &&
                                   touched.last_batch >= last->batch;
                        });
                    if (committed) run_after_steps(files_, options_.root, part.after);
                }
            }
        }
    }
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const Steps& a, const Steps& b) { return a.frame < b.frame; });
    for (auto first = steps_.begin(); first != steps_.end();) {
        const auto end =
            std::find_if(first, steps_.end(), [&](const Steps& s) { return s.frame != first->frame; });
        for (auto at = first; at != end; ++at) {
            for (const FileStep& step : at->steps) redo_link(*at, step);
        }
        for (auto at = first; at != end; ++at) run_after_steps(files_, options_.root, at->steps);
        first = end;
    }
}

void Recovery::redo_link(const Steps& at, const FileStep& step) {
    const std::filesystem::path to = options_.root / step.to;
    Result<void> done;
    if (step.kind == FileStep::Kind::link_path || step.kind == FileStep::Kind::rename) {
        FileDescriptor from;
        if (files_.open(options_.root / step.from, O_RDONLY, 0, from) == ENOENT) return;
        done = name_again(files_, options_.root / step.from, to);
    } else if (step.kind == FileStep::Kind::link_file) {
        const auto& recorded = records_[at.frame].transactions[at.transaction].files;
        if (step.file >= recorded.size()) return;
        const RecordedFile& file = recorded[step.file];
        FileDescriptor present;
        if (files_.open(to, O_RDONLY, 0, present) == 0 && is_whole(present.get(), file)) return;
        const auto source = recorded_file(file, to.parent_path());
        if (!source) {
            log("recovery: the bytes of " + step.to + " are gone");
            return;
        }
        done = name_file(files_, source->get(), file.size, to);
        ++report_.files_restored;
    }
    if (!done) log("recovery: " + done.error().what);
}

bool Recovery::is_whole(int fd, const RecordedFile& file) {
    std::uint64_t size = 0;
    if (files_.size_of(fd, size) != 0 || size != file.size) return false;
    if (file.staged || !report_.power_was_cut) return true;
    std::string bytes;
    return files_.read(fd, 0, file.size, bytes) == 0 && bytes == file.bytes;
}

std::optional<FileDescriptor> Recovery::recorded_file(const RecordedFile& file,
                                                      const std::filesystem::path& folder) {
    if (file.staged) {
        FileDescriptor staged;
        if (files_.open(options_.root / file.bytes, O_RDONLY, 0, staged) != 0 ||
            !is_whole(staged.get(), file))
            return std::nullopt;
        return staged;
    }
    auto made = make_unnamed(files_, folder, file.bytes);
    if (!made) {
        log("recovery: " + made.error().what);
        return std::nullopt;
    }
    return std::move(*made);
}

Result<void> Recovery::sync() {
    if (const int rc = files_.sync_file_system(root_)) return transient_error("sync: " + errno_text(rc));
    return {};
}

Result<void> Recovery::finish() {
    TRY_VOID(sync());
    TRY_VOID(journal_.set_start(journal_.end(), next_batch_));
    // Large files whose transactions are in place now, or never happened.
    std::vector<std::string> names;
    files_.list(options_.root / options_.staging, names);
    for (const std::string& name : names) {
        if (name.starts_with(kStagedPrefix)) files_.remove(options_.root / options_.staging / name);
    }
    if (!records_.empty()) {
        log(std::string("recovery after ") +
            (report_.power_was_cut ? "a power cut or reboot" : "the death of a process") + ": " +
            std::to_string(report_.batches_found) + " batches in the journal, " +
            std::to_string(report_.changes_applied) + " changes applied, " +
            std::to_string(report_.changes_skipped) + " passed over, " +
            std::to_string(report_.files_restored) + " files restored");
    }
    return {};
}

}  // namespace mailstead::commit
