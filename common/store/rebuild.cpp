#include "common/store/rebuild.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <span>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "common/commit/file_layer.h"
#include "common/store/adopt.h"
#include "common/store/applier.h"
#include "common/store/beneath.h"
#include "common/store/fetch_cache.h"
#include "common/store/rebuild_writer.h"

namespace mailstead::store {
namespace {

using rebuild::Entry;
using rebuild::Found;

constexpr std::size_t kStep = 2'048;  // messages read at a time, and in one transaction
constexpr std::size_t kStraysAtATime = 64;
constexpr std::size_t kMaxProblems = 100;
constexpr std::size_t kDamagedKept = 2;
constexpr std::uint64_t kInMemory = 4u << 20;  // bytes; larger files are mapped
constexpr unsigned kMostThreads = 4;
constexpr int kNice = 10;
constexpr std::string_view kDamaged = "index.damaged-";

// What reading a message's file gave.
struct Reading {
    std::string cache;
    std::string problem;
    bool is_gone = false;
};

class Rebuild {
public:
    Rebuild(const std::filesystem::path& root, AccountId account, Time now, const RebuildProgress& progress)
        : root_(root),
          account_(account),
          now_(now),
          progress_(progress),
          index_(root / maildir::index_path(account)),
          fresh_(index_.string() + ".new") {}

    Outcome<RebuildReport> run() {
        mail_ = open_folder((root_ / maildir::mail_path(account_)).string());
        TRY(scan, rebuild::scan(root_, account_, now_));
        scan_ = std::move(scan);
        report_.had_sidecar = scan_.sidecar.has_value();
        report_.doubles = scan_.doubles;
        total_ = scan_.entries.size() + scan_.strays.size();
        std::error_code error;
        std::filesystem::remove_all(fresh_, error);
        auto filled = fill();
        env_.reset();
        if (filled) filled = swap();
        if (!filled) {
            std::filesystem::remove_all(fresh_, error);
            return filled.error();
        }
        return std::move(report_);
    }

private:
    Outcome<void> fill();
    Outcome<void> add_messages(rebuild::Writer& writer);
    Outcome<void> adopt_strays();
    Outcome<void> apply(const std::vector<Change>& changes);
    Outcome<void> swap();
    void forget_older();
    std::vector<Reading> read_all(std::span<const std::span<const Entry>> messages) const;
    Reading read_message(std::span<const Entry> places) const;
    void note(const std::string& problem);
    Outcome<void> report_progress(std::uint64_t done) const;

    std::filesystem::path root_;
    AccountId account_;
    Time now_;
    const RebuildProgress& progress_;
    std::filesystem::path index_;
    std::filesystem::path fresh_;
    FileDescriptor mail_;
    rebuild::Scan scan_;
    std::uint64_t total_ = 0;
    std::shared_ptr<kv::Env> env_;
    Databases databases_;
    RebuildReport report_;
};

void Rebuild::note(const std::string& problem) {
    if (report_.problems.size() < kMaxProblems) report_.problems.push_back(problem);
}

Outcome<void> Rebuild::report_progress(std::uint64_t done) const {
    if (!progress_ || progress_(done, total_)) return {};
    return Failure(Fault::unavailable, "the rebuild was interrupted");
}

Outcome<void> Rebuild::fill() {
    TRY(env, kv::Env::open(fresh_, index_options(kv::Access::engine_writer)));
    TRY(databases, open_databases(*env));
    env_ = std::move(env);
    databases_ = databases;
    rebuild::Writer writer(root_, account_, scan_, env_, databases_, now_);
    TRY_VOID(add_messages(writer));
    TRY_VOID(writer.finish());
    scan_.entries = {};
    TRY_VOID(adopt_strays());
    TRY_VOID(env_->sync());
    report_.mailboxes = scan_.boxes.size();
    return {};
}

// ---- messages of our own

Outcome<void> Rebuild::add_messages(rebuild::Writer& writer) {
    const std::span<const Entry> entries = scan_.entries;
    for (std::size_t at = 0; at < entries.size();) {
        TRY_VOID(report_progress(at));
        std::vector<std::span<const Entry>> messages;
        while (at < entries.size() && messages.size() < kStep) {
            std::size_t end = at + 1;
            while (end < entries.size() && entries[end].message == entries[at].message) ++end;
            messages.push_back(entries.subspan(at, end - at));
            at = end;
        }
        std::vector<Reading> readings = read_all(messages);
        std::vector<Found> found;
        for (std::size_t n = 0; n < messages.size(); ++n) {
            if (readings[n].is_gone) continue;
            if (!readings[n].problem.empty()) {
                report_.damaged += messages[n].size();
                note(readings[n].problem);
            }
            report_.messages += messages[n].size();
            found.push_back({messages[n], std::move(readings[n].cache)});
        }
        TRY_VOID(writer.add(found));
    }
    return {};
}

std::vector<Reading> Rebuild::read_all(std::span<const std::span<const Entry>> messages) const {
    std::vector<Reading> readings(messages.size());
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
        for (std::size_t n = next++; n < messages.size(); n = next++) readings[n] = read_message(messages[n]);
    };
    const unsigned wanted = std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads);
    std::vector<std::jthread> threads;
    for (unsigned n = 0; n < wanted; ++n) threads.emplace_back(work);
    threads.clear();
    return readings;
}

// Whichever of its names leads to it.
Reading Rebuild::read_message(std::span<const Entry> places) const {
    Reading reading;
    for (const Entry& entry : places) {
        const std::string path = path_of(scan_, account_, entry);
        const FileDescriptor file = open_beneath(mail_.get(), path, O_RDONLY | O_NONBLOCK);
        if (!file) {
            reading.is_gone = reading.problem.empty() && errno == ENOENT;
            if (!reading.is_gone) reading.problem = path + ": " + commit::errno_text(errno);
            continue;
        }
        reading.is_gone = false;
        struct stat status {};
        if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
            reading.problem = path + ": no file";
            continue;
        }
        const auto size = static_cast<std::uint64_t>(status.st_size);
        reading.problem.clear();
        if (size != entry.size) {
            reading.problem = path + ": " + std::to_string(size) + " bytes of " + std::to_string(entry.size);
            if (size == 0) return reading;
        }
        if (size > kInMemory) {
            // Ours are never written to again.
            void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
            if (at == MAP_FAILED) {
                reading.problem = path + ": " + commit::errno_text(errno);
                continue;
            }
            reading.cache = build_fetch_cache(std::string_view(static_cast<const char*>(at), size));
            ::munmap(at, size);
            return reading;
        }
        std::string bytes;
        const int code = commit::FileLayer::real().read(file.get(), 0, size, bytes);
        if (code != 0 || bytes.size() != size) {
            reading.problem = path + ": " + commit::errno_text(code != 0 ? code : EIO);
            continue;
        }
        reading.cache = build_fetch_cache(bytes);
        return reading;
    }
    return reading;
}

// ---- files of others

Outcome<void> Rebuild::adopt_strays() {
    std::vector<Change> batch;
    std::uint64_t done = total_ - scan_.strays.size();
    for (const rebuild::Stray& stray : scan_.strays) {
        if (done++ % kStraysAtATime == 0) TRY_VOID(report_progress(done));
        auto message = take_foreign_file(commit::FileLayer::real(), mail_.get(), stray.path);
        if (!message) {
            if (message.error().is_transient()) return message.error();
            ++report_.skipped;
            note(stray.path + ": no message, or it cannot be read");
            continue;
        }
        if (stray.date) message->internal_date = Time(Seconds(*stray.date));
        batch.push_back(Change{now_, AdoptFile{MailboxId(stray.mailbox), stray.path, *std::move(message)}});
        ++report_.messages;
        ++report_.adopted;
        if (batch.size() == kStraysAtATime) {
            TRY_VOID(apply(batch));
            batch.clear();
        }
    }
    return apply(batch);
}

Outcome<void> Rebuild::apply(const std::vector<Change>& changes) {
    if (changes.empty()) return {};
    while (true) {
        bool wants_growth = false;
        {
            TRY(transaction, env_->write());
            Outcome<void> done;
            for (const Change& change : changes) {
                commit::ApplyContext context({}, false);
                const auto result = Applier(transaction, databases_, account_, context).apply(change);
                if (!result) done = result.error();
                if (!done) break;
            }
            if (done) {
                if (auto committed = transaction.commit(); !committed) done = Failure(committed.error());
            }
            wants_growth = !done && transaction.wants_growth();
            if (!wants_growth) return done;
        }
        TRY_VOID(env_->grow());
    }
}

// ---- folders

int flush_folder(const std::filesystem::path& path) {
    FileDescriptor folder;
    const int code = commit::FileLayer::real().open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, folder);
    return code == 0 ? commit::FileLayer::real().flush(folder.get()) : code;
}

// At no moment without an index, where the file system can do that.
Outcome<void> Rebuild::swap() {
    const std::filesystem::path parent = index_.parent_path();
    struct stat status {};
    std::filesystem::path damaged;
    for (std::int64_t at = now_.time_since_epoch().count();; ++at) {
        damaged = parent / (std::string(kDamaged) + std::to_string(at));
        if (::lstat(damaged.c_str(), &status) != 0) break;
    }
    int code = flush_folder(fresh_);
    const bool had_one = ::lstat(index_.c_str(), &status) == 0;
    if (code == 0 && had_one) {
        if (::renameat2(AT_FDCWD, fresh_.c_str(), AT_FDCWD, index_.c_str(), RENAME_EXCHANGE) == 0) {
            if (::rename(fresh_.c_str(), damaged.c_str()) != 0) code = errno;
        } else {
            if (::rename(index_.c_str(), damaged.c_str()) != 0) code = errno;
            if (code == 0 && ::rename(fresh_.c_str(), index_.c_str()) != 0) code = errno;
        }
        report_.old_index = damaged;
    } else if (code == 0 && ::rename(fresh_.c_str(), index_.c_str()) != 0) {
        code = errno;
    }
    if (code == 0) code = flush_folder(parent);
    if (code != 0)
        return Failure(Fault::unavailable, "put the new index in place: " + commit::errno_text(code));
    forget_older();
    return {};
}

void Rebuild::forget_older() {
    std::vector<std::string> kept;
    maildir::list_directory(index_.parent_path().string(), [&](std::string_view name) {
        if (name.starts_with(kDamaged)) kept.emplace_back(name);
        return true;
    });
    std::sort(kept.begin(), kept.end());
    std::error_code ignored;
    for (std::size_t n = 0; n + kDamagedKept < kept.size(); ++n)
        std::filesystem::remove_all(index_.parent_path() / kept[n], ignored);
}

}  // namespace

Outcome<RebuildReport> rebuild_index(const std::filesystem::path& root, AccountId account, Time now,
                                     const RebuildProgress& progress) {
    return Rebuild(root, account, now, progress).run();
}

bool had_index(const std::filesystem::path& root, AccountId account) {
    struct stat status {};
    if (::lstat((root / sidecar::account_file(account)).c_str(), &status) == 0) return true;
    bool found = false;
    const std::string mail = (root / maildir::mail_path(account)).string();
    for (const char* directory : {"/cur", "/new"}) {
        maildir::list_directory(mail + directory, [&](std::string_view) {
            found = true;
            return false;
        });
    }
    maildir::list_directory(mail, [&](std::string_view name) {
        found = found || (name.front() == '.' && maildir::mailbox_of(name));
        return !found;
    });
    return found;
}

}  // namespace mailstead::store
