// Environments out of service: each keeps what it is owed in a file of its own, so that neither its damage
// nor its disk stops the others.
#include <algorithm>
#include <fcntl.h>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/commit/committer.h"
#include "common/commit/file_steps.h"
#include "common/commit/replay.h"

namespace mailstead::commit {
namespace {

constexpr auto kRetryAfter = std::chrono::seconds(10);

// Where the files that a debt's links made lie in the end; empty: removed again. By address of the step.
std::unordered_map<const FileStep*, std::string> final_places(const std::vector<Record>& records) {
    std::vector<const FileStep*> steps;
    for (const Record& record : records) {
        for (const auto& transaction : record.transactions) {
            for (const auto& part : transaction.parts) {
                for (const auto& step : part.steps) steps.push_back(&step);
            }
        }
    }
    std::unordered_map<const FileStep*, std::string> places;
    std::unordered_map<std::string, std::string> later;
    for (auto at = steps.rbegin(); at != steps.rend(); ++at) {
        const FileStep& step = **at;
        if (step.kind == FileStep::Kind::remove) {
            later[step.to] = "";
            continue;
        }
        const auto known = later.find(step.to);
        const std::string place = known == later.end() ? step.to : known->second;
        if (step.kind == FileStep::Kind::rename) {
            later[step.from] = place;
        } else {
            places[&step] = place;
        }
    }
    return places;
}

}  // namespace

void Committer::set_aside(std::string environment, Error why, Done done) {
    // By somebody's word: no retry by itself.
    if (why.fault == Fault::none) why.fault = Fault::damaged;
    request([this, environment = std::move(environment),
             why = std::move(why)] { return put_out(environment, why); },
            std::move(done));
}

void Committer::readmit(std::string environment, Done done) {
    request([this, environment = std::move(environment)] { return readmit_now(environment); },
            std::move(done));
}

std::vector<SetAside> Committer::set_aside() const {
    std::vector<SetAside> all;
    const std::lock_guard lock(mutex_);
    for (const auto& [key, aside] : asides_) all.push_back(aside);
    return all;
}

void Committer::know_aside(SetAside aside) {
    holdings_.put_out(aside.environment, aside.why);
    if (aside.why.fault != Fault::damaged) to_retry_.insert(aside.environment);
    if (options_.on_set_aside) options_.on_set_aside(aside);
    const std::lock_guard lock(mutex_);
    asides_.insert_or_assign(aside.environment, aside);
}

// After a batch: environments that could not be opened, or not take what the journal holds.
void Committer::take_trouble(std::vector<std::pair<std::string, Error>> troubled) {
    for (auto& [key, why] : troubled) {
        if (holdings_.is_out(key)) continue;
        if (const auto out = put_out(key, std::move(why)); !out)
            log(key + " is out of service, and what it is owed stays in the journal: " + out.error().what);
    }
}

Result<void> Committer::put_out(const std::string& key, Error why) {
    if (holdings_.is_out(key)) {
        if (why.fault == Fault::damaged) {  // no longer for a while: somebody wants its files
            to_retry_.erase(key);
            kept_.erase(key);
        }
        return {};
    }
    if (holdings_.on_damage(key) == OnDamage::begin_anew && why.fault == Fault::damaged) {
        const auto begun = begin_anew(key, why);
        if (begun) return {};
        log(key + " cannot begin anew: " + begun.error().what);
    }
    log(key + " is set aside: " + why.what);
    Holding* const holding = holdings_.find(key);
    if (holding != nullptr && why.fault != Fault::damaged && !holding->env->is_broken())
        kept_[key] = std::move(holding->pin);
    know_aside({key, std::move(why), now()});
    unwritten_debts_.insert(key);
    next_retry_ = Clock::now() + kRetryAfter;
    return write_debts();
}

Result<void> Committer::begin_anew(const std::string& key, const Error& why) {
    holdings_.close(key);
    TRY_VOID(append_drop(key));
    TRY_VOID(holdings_.begin_anew(files_, key));
    log(key + " is damaged and begins anew: " + why.what);
    return {};
}

Result<void> Committer::append_drop(const std::string& key) {
    Record record;
    record.kind = Record::Kind::drop;
    record.dropped = key;
    return append(record);
}

Result<void> Committer::write_debts() {
    while (!unwritten_debts_.empty()) {
        const std::string key = *unwritten_debts_.begin();
        Debt debt;
        {
            const std::lock_guard lock(mutex_);
            debt.aside = asides_.at(key);
        }
        const auto place = holdings_.locate(key);
        if (place && debt.aside.why.fault != Fault::damaged)
            debt.inode = inode_of_data_file(place->directory);
        ShareCollector share(debt);
        Result<void> taken;
        TRY_VOID(journal_->read_again([&](const std::string& frame) {
            if (taken) taken = share.take(frame);
        }));
        TRY_VOID(taken);
        const auto directory = options_.root / options_.journal;
        Result<void> written = write_debt(files_, directory, debt);
        while (!written && written.error().fault == Fault::disk_full && reserve_.release())
            written = write_debt(files_, directory, debt);
        TRY_VOID(written);
        unwritten_debts_.erase(key);
    }
    return {};
}

// What went wrong without damage (a disk that refused) may have passed.
void Committer::retry_asides() {
    if (to_retry_.empty() || Clock::now() < next_retry_) return;
    next_retry_ = Clock::now() + kRetryAfter;
    for (const std::string& key : std::vector<std::string>(to_retry_.begin(), to_retry_.end()))
        (void)readmit_now(key);
}

Result<void> Committer::readmit_now(const std::string& key) {
    if (!holdings_.is_out(key)) return {};
    TRY_VOID(write_debts());
    const auto directory = options_.root / options_.journal;
    TRY(debt, read_debt(files_, directory, key));
    holdings_.take_in(key);
    Result<void> paid = pay(key, debt);
    if (paid) paid = append_drop(key);  // what the journal says of it until here is done
    if (paid) paid = remove_debt(files_, directory, key);
    if (!paid) {
        Error why = debt.aside.why;
        holdings_.put_out(key, why);
        return paid;
    }
    // What it holds now is durable: its next use begins from here.
    holdings_.close(key);
    to_retry_.erase(key);
    kept_.erase(key);
    {
        const std::lock_guard lock(mutex_);
        asides_.erase(key);
    }
    log(key + " is back in service");
    if (options_.on_committed) options_.on_committed(std::span(&key, 1));
    return {};
}

Result<void> Committer::pay(const std::string& key, Debt& debt) {
    TRY(place, holdings_.locate(key));
    const bool same_file = debt.inode != 0 && debt.inode == inode_of_data_file(place.directory);
    // One that is open since then is as its last commit left it.
    if (same_file && !kept_.contains(key) && !debt.meta_pages.empty())
        TRY_VOID(kv::restore_meta_pages(place.directory, {debt.meta_pages}));
    TRY(holding, holdings_.get(key));
    if (debt.inode != inode_of_data_file(place.directory)) {
        // Another file, made by a rebuild, which knows of no batches, or by a restore. As it is now it is
        // where a payment that is cut short returns to.
        debt.inode = inode_of_data_file(place.directory);
        debt.meta_pages = holding->meta.bytes;
        if (!same_file) debt.onto_rebuilt = holding->last_batch == 0;
        TRY_VOID(write_debt(files_, options_.root / options_.journal, debt));
    }
    std::vector<Record> records;
    std::set<std::uint64_t> revoked;
    for (const std::string& frame : debt.frames) {
        auto record = decode_record(frame);
        if (!record) return permanent_error("the debt of " + key + " is not understood", Fault::damaged);
        if (record->kind == Record::Kind::revoke) revoked.insert(record->batch);
        if (record->kind == Record::Kind::batch) records.push_back(std::move(*record));
    }
    std::erase_if(records, [&](const Record& record) {
        return revoked.contains(record.batch) || record.batch <= holding->last_batch;
    });

    FileRedo redo(files_, options_.root);
    const auto places = final_places(records);
    ReplayOptions options;
    options.may_differ = options.onto_rebuilt = debt.onto_rebuilt;
    options.log = [this](const std::string& line) { log(line); };
    if (debt.onto_rebuilt && holdings_.rebuild_finds_files(key)) {
        options.is_done = [&](const RecordedTransaction&, const RecordedPart& part) {
            bool has_links = false;
            for (const FileStep& step : part.steps) {
                const auto at = places.find(&step);
                if (at == places.end()) continue;
                has_links = true;
                FileDescriptor there;
                if (!at->second.empty() && files_.open(options_.root / at->second, O_RDONLY, 0, there) != 0)
                    return false;
            }
            return has_links;
        };
    }
    for (const Record& record : records) {
        TRY(done, replay(*holding, record, options));
        // Onto a rebuilt index files get the names that it gives them; otherwise those of the first time.
        std::vector<FileStep> after;
        for (const auto& [part, asked] : done.steps) {
            const auto transaction =
                std::find_if(record.transactions.begin(), record.transactions.end(), [&](const auto& t) {
                    return part >= t.parts.data() && part < t.parts.data() + t.parts.size();
                });
            for (const FileStep& step : asked) {
                if (step.kind != FileStep::Kind::remove) TRY_VOID(redo.redo(step, *transaction));
                after.push_back(step);
            }
        }
        const std::string left = run_after_steps(files_, options_.root, after);
        if (!left.empty()) log("files left behind:" + left);
    }
    if (const auto work = holding->environment->beside_checkpoint()) work();
    if (const int rc = volumes_.sync()) {
        sync_failed_ = true;
        (void)journal_->mark_suspect();
        return transient_error("sync: " + errno_text(rc));
    }
    return {};
}

}  // namespace mailstead::commit
