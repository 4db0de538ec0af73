#include "common/commit/recovery.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

#include "common/base/clock.h"
#include "common/commit/file_steps.h"
#include "common/commit/preparer.h"

namespace mailstead::commit {

void Recovery::log(const std::string& line) const {
    if (options_.log) options_.log(line);
}

Result<RecoveryReport> Recovery::run() {
    asides_ = list_debts(files_, directory());
    TRY(content, read_journal(files_, options_.root, journal_));
    content_ = std::move(content);
    TRY_VOID(accept_or_refuse());
    report_.was_clean = journal_.control().clean && content_.records.empty();
    if (!report_.was_clean) {
        TRY_VOID(make_room());
        TRY_VOID(journal_.mark_recovering());
        find_touched();
        for (Touched& touched : touched_) TRY_VOID(recover(touched));
        TRY_VOID(redo_steps());
        TRY_VOID(finish());
    }
    for (const SetAside& aside : asides_) report_.set_aside.push_back(aside.environment);
    return report_;
}

Result<void> Recovery::accept_or_refuse() {
    if (content_.damage.empty()) return {};
    if (!is_accepted(files_, directory(), content_.damage)) {
        const JournalDamage& first = content_.damage.front();
        std::string keys;
        for (const std::string& key : content_.environments()) keys += " " + key;
        return permanent_error(
            "the journal is damaged: " + first.file.string() + ", offset " + std::to_string(first.offset) +
                ": " + first.what +
                (content_.damage.size() > 1 ? " (and " + std::to_string(content_.damage.size() - 1) + " more)"
                                            : "") +
                "; concerned are" + (keys.empty() ? " accounts which it does not name" : keys) +
                ". Nothing was changed. Mend the disk or put the file back and start again; `mailstead "
                "verify --repair` goes on without what is lost",
            Fault::damaged);
    }
    accepted_ = true;
    const auto folder = directory() / ("damaged-" + std::to_string(now().time_since_epoch().count()));
    TRY_VOID(journal_.put_aside(folder, content_.damage));
    for (const JournalDamage& damage : content_.damage)
        log("recovery goes on without what is lost at " + damage.file.string() + ", offset " +
            std::to_string(damage.offset) + ": " + damage.what + "; the file is kept in " + folder.string());
    return {};
}

void Recovery::find_touched() {
    std::map<std::string_view, std::size_t> newest;
    for (std::size_t frame = 0; frame < content_.records.size(); ++frame) {
        const Record& record = content_.records[frame];
        if (record.kind == Record::Kind::batch) ++report_.batches_found;
        if (record.kind == Record::Kind::drop) {
            if (const auto found = newest.find(record.dropped); found != newest.end()) {
                touched_[found->second].end_frame = frame;
                newest.erase(found);
            }
            continue;
        }
        for (const RecordedEnvironment& environment : record.environments) {
            const auto [entry, is_new] = newest.emplace(environment.key, touched_.size());
            if (!is_new) continue;
            Touched touched;
            touched.key = environment.key;
            touched.meta_pages = environment.meta_pages;
            touched.first_frame = frame;
            touched.end_frame = content_.records.size();
            touched_.push_back(std::move(touched));
        }
    }
    std::erase_if(touched_, [&](const Touched& t) { return t.end_frame < content_.records.size(); });
    for (std::size_t i = 0; i < touched_.size(); ++i) by_key_.emplace(touched_[i].key, i);
    for (Touched& touched : touched_)
        touched.was_owed = std::any_of(asides_.begin(), asides_.end(),
                                       [&](const SetAside& a) { return a.environment == touched.key; });
}

bool Recovery::counts(const Touched& touched, std::size_t frame) const {
    const Record& record = content_.records[frame];
    return record.kind == Record::Kind::batch && frame >= touched.first_frame &&
           !content_.revoked.contains(record.batch);
}

Result<void> Recovery::recover(Touched& touched) {
    if (touched.was_owed) return {};
    const auto place = holdings_.locate(touched.key);
    if (!place && place.error().retry == Retry::is_useless) {
        log("recovery: " + touched.key + " is passed over: " + place.error().what);
        touched.is_gone = true;
        ++report_.changes_skipped;
        return {};
    }
    const auto returned = [&]() -> Result<void> {
        if (!place) return place.error();
        TRY_VOID(volumes_.add_environment(place->directory));
        if (touched.meta_pages.empty())
            return transient_error("the journal's record of its last checkpoint is lost", Fault::damaged);
        TRY_VOID(kv::restore_meta_pages(place->directory, {touched.meta_pages}));
        return apply(touched);
    };
    Result<void> done = returned();
    // A full disk blames nobody: what the reserve has must do.
    while (!done && done.error().fault == Fault::disk_full && reserve_.release()) {
        holdings_.close(touched.key);
        done = returned();
    }
    holdings_.close(touched.key);
    if (done) return {};
    if (!blames_environment(done.error()))
        return Error("recovery of " + touched.key + ": " + done.error().what +
                         ". Nothing is lost; make room and start again",
                     Retry::later_may_help, done.error().fault);
    return set_aside(touched, done.error());
}

Result<void> Recovery::apply(Touched& touched) {
    TRY(holding, holdings_.get(touched.key));
    ReplayOptions options;
    options.may_differ = accepted_;
    options.log = [this](const std::string& line) { log("recovery: " + line); };
    for (std::size_t frame = touched.first_frame; frame < content_.records.size(); ++frame) {
        const Record& record = content_.records[frame];
        const bool is_named = std::any_of(record.environments.begin(), record.environments.end(),
                                          [&](const RecordedEnvironment& e) { return e.key == touched.key; });
        if (!is_named || !counts(touched, frame) || record.batch <= holding->last_batch) continue;
        TRY(done, replay(*holding, record, options));
        report_.changes_applied += done.applied;
        report_.changes_skipped += done.passed_over;
        for (auto& [part, steps] : done.steps) derived_[part] = std::move(steps);
    }
    // Durable with the sync that ends the recovery.
    if (const auto work = holding->environment->beside_checkpoint()) work();
    return {};
}

Result<void> Recovery::set_aside(Touched& touched, Error why) {
    touched.is_owed = true;
    if (holdings_.on_damage(touched.key) == OnDamage::begin_anew && why.fault == Fault::damaged) {
        log(touched.key + " is damaged and begun anew: " + why.what);
        return holdings_.begin_anew(files_, touched.key);
    }
    Debt debt;
    debt.aside = {touched.key, std::move(why), now()};
    const auto place = holdings_.locate(touched.key);
    if (place && debt.aside.why.fault != Fault::damaged) debt.inode = inode_of_data_file(place->directory);
    ShareCollector share(debt);
    for (std::size_t frame = touched.first_frame; frame < content_.records.size(); ++frame) {
        FrameBuffer buffer;
        buffer.clear();
        encode_record(buffer, content_.records[frame]);
        TRY_VOID(share.take(buffer.payload()));
    }
    TRY_VOID(write_debt(files_, directory(), debt));
    log(touched.key + " is set aside: " + debt.aside.why.what);
    asides_.push_back(debt.aside);
    return {};
}

// Recovery needs some space: new names, indexes that grow.
Result<void> Recovery::make_room() {
    std::uint64_t space = 0;
    while (volumes_.free_space(space) == 0 && space < kLeastSpace && reserve_.release()) continue;
    return {};
}

Recovery::Touched* Recovery::owner_of(std::size_t frame, const RecordedPart& part) {
    const Record& record = content_.records[frame];
    const auto found = by_key_.find(record.environments[part.environment].key);
    if (found == by_key_.end()) return nullptr;
    Touched& touched = touched_[found->second];
    const bool has_steps = counts(touched, frame) && !touched.is_gone && !touched.was_owed;
    return has_steps ? &touched : nullptr;
}

const std::vector<FileStep>& Recovery::steps_of(const RecordedPart& part) const {
    // A replay tells more than the first time did: what the follower had done to files by itself.
    const auto derived = derived_.find(&part);
    return derived == derived_.end() ? part.steps : derived->second;
}

Result<void> Recovery::redo_steps() {
    for (std::size_t frame = 0; frame < content_.records.size(); ++frame) {
        if (content_.records[frame].kind != Record::Kind::batch) continue;
        TRY_VOID(redo_links(frame));
        redo_after(frame);
    }
    report_.files_restored = redo_.restored();
    return {};
}

Result<void> Recovery::redo_links(std::size_t frame) {
    const Record& record = content_.records[frame];
    for (const RecordedTransaction& transaction : record.transactions) {
        for (const RecordedPart& part : transaction.parts) {
            Touched* const touched = owner_of(frame, part);
            if (touched == nullptr) continue;
            for (const FileStep& step : steps_of(part)) {
                if (step.kind == FileStep::Kind::remove) continue;
                Result<void> done = redo_.redo(step, transaction);
                while (!done && done.error().fault == Fault::disk_full && reserve_.release())
                    done = redo_.redo(step, transaction);
                if (done) continue;
                const std::string what = "message file of " + touched->key + ": " + done.error().what;
                if (accepted_ || touched->is_owed) {
                    log("recovery: " + what);
                } else if (blames_environment(done.error())) {
                    TRY_VOID(set_aside(*touched, Error(what, Retry::later_may_help, done.error().fault)));
                } else {
                    return Error("recovery: " + what + ". Nothing is lost; make room and start again",
                                 Retry::later_may_help, done.error().fault);
                }
            }
        }
    }
    return {};
}

void Recovery::redo_after(std::size_t frame) {
    const Record& record = content_.records[frame];
    for (const RecordedTransaction& transaction : record.transactions) {
        for (const RecordedPart& part : transaction.parts) {
            if (owner_of(frame, part) == nullptr) continue;
            const std::string left = run_after_steps(files_, options_.root, steps_of(part));
            if (!left.empty()) log("recovery: files left behind:" + left);
        }
    }
}

Result<void> Recovery::finish() {
    if (const int rc = volumes_.sync())
        return transient_error("recovery: sync: " + errno_text(rc) + ". Nothing is lost; start again");
    TRY_VOID(journal_.set_start(journal_.end(), content_.next_batch));
    remove_staged();
    files_.remove(directory() / kAcceptanceFile);
    if (content_.records.empty()) return {};
    log("recovery: " + std::to_string(report_.batches_found) + " batches in the journal, " +
        std::to_string(report_.changes_applied) + " changes applied, " +
        std::to_string(report_.changes_skipped) + " passed over, " + std::to_string(report_.files_restored) +
        " files restored");
    return {};
}

// Large files whose transactions are in place now, or never happened. A debt may still need its own.
void Recovery::remove_staged() {
    std::set<std::string> needed;
    for (const SetAside& aside : asides_) {
        const auto debt = read_debt(files_, directory(), aside.environment);
        if (!debt) return;  // nobody knows which it needs
        for (const std::string& frame : debt->frames) {
            const auto record = decode_record(frame);
            if (!record) return;
            for (const auto& transaction : record->transactions) {
                for (const auto& file : transaction.files) {
                    if (file.staged) needed.emplace(file.bytes);
                }
            }
        }
    }
    std::vector<std::string> names;
    files_.list(options_.root / options_.staging, names);
    for (const std::string& name : names) {
        if (name.starts_with(kStagedPrefix) && !needed.contains((options_.staging / name).string()))
            files_.remove(options_.root / options_.staging / name);
    }
}

}  // namespace mailstead::commit
