// Group commit: the one writer of all engine-owned environments. docs/architecture.md, "One writer, one
// journal".
//
// A transaction is a list of parts (one change for one environment each) with the message files they refer
// to. The committer thread takes everything that waits as one batch: applies it, makes it durable with one
// flush of the journal, links the files, commits, and answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_descriptor.h"
#include "common/base/result.h"
#include "common/commit/participant.h"

namespace mailstead::commit {

class FileLayer;

// A complete message in a file on the same file system as the root: an O_TMPFILE (still unnamed) or a named
// file.
struct MessageFile {
    FileDescriptor descriptor;  // open for reading
    std::uint64_t size = 0;     // bytes; the file has exactly as many
    // The same bytes, when the caller has them in memory anyway; saves reading them again. Only used up to
    // kJournaledFileSize.
    std::shared_ptr<const std::string> content;
};

struct Part {
    std::string environment;  // "account/7", "queue", "ledger"
    std::string payload;      // the change, as the participant encodes it
    // Zero or one: applied in this one's place when this one is refused (a full mailbox becomes a queue
    // entry).
    std::vector<Part> otherwise;
};

enum class Atomicity {
    together,    // one refused part (without `otherwise`) refuses all: they get an error that says so
    each_alone,  // a refused part leaves the others standing
};

struct Transaction {
    std::vector<Part> parts;
    std::vector<MessageFile> files;
    Atomicity atomicity = Atomicity::together;
    // Refused as soon as space is short, small as it may be: what strangers cause at will must not use up what
    // is kept for the owner's own changes.
    bool is_spare = false;
};

struct PartOutcome {
    Result<std::string> result;   // what apply() answered, or why not. Retry tells whether it may work later
    bool took_otherwise = false;  // `result` is that of the part in `otherwise`
    Error refusal;                // with took_otherwise: why the part itself was refused
};
using Outcome = std::vector<PartOutcome>;  // one per part, in order

// Called once, on the committer's thread (or inside submit() when refused at once): hand over and return,
// never block.
using Completion = std::function<void(Outcome)>;

// Up to this size message bytes travel through the journal; a larger file is flushed by itself.
inline constexpr std::uint64_t kJournaledFileSize = 256 * 1024;

// What transactions are refused with while there is no room, with Fault::disk_full.
inline constexpr std::string_view kDiskFull = "the disk is full";

// An environment that is out of service: its index is damaged, its disk refuses, or someone asked for it.
// Parts for it are refused with Fault::set_aside (later may help); changes which the journal already holds
// for it are kept in a file of their own, its debt, until readmit().
struct SetAside {
    std::string environment;
    Error why;
    Time since;
};

struct EngineOptions {
    std::filesystem::path root;  // the data folder; paths of file steps and environments are relative to it
    std::filesystem::path journal = "journal";  // relative to root: segments and the control block
    std::filesystem::path staging =
        "spool";  // relative to root: names for large files until the next checkpoint ("large-...")
    std::uint64_t segment_size = 32u << 20;  // bytes
    std::size_t max_segments = 16;           // then commits wait for the checkpoint
    std::size_t max_batch_bytes = 8u << 20;
    std::size_t max_batch_transactions = 1024;
    std::size_t max_waiting_transactions = 8192;  // beyond it submit() refuses with a transient error
    std::size_t max_waiting_bytes = 256u << 20;
    std::size_t max_open_environments = 256;      // closed least recently used first, once checkpointed
    std::size_t checkpoint_commits = 1024;        // commits of one environment since its last checkpoint
    std::uint64_t checkpoint_growth = 64u << 20;  // bytes by which one environment's file grew since
    Milliseconds checkpoint_idle{5'000};          // after the last activity, when anything changed
    // Bytes of the file system left free: below it only small changes without message files pass.
    std::uint64_t reserved_space = 64u << 20;
    // Relative to root: a file of `reserve_size` bytes that is given up, piece by piece, where small changes
    // and recovery find no other room, and filled again later. 0: none.
    std::filesystem::path reserve = "journal/reserve";
    std::uint64_t reserve_size = 32u << 20;
    std::size_t preparing_threads = 2;  // read and flush message files

    // Which environments the batch changed; called on the committer's thread after the commit and before the
    // completions.
    std::function<void(std::span<const std::string> environments)> on_committed;
    // An environment went out of service, at run time or because it was before. On the committer's thread;
    // during start() on the caller's.
    std::function<void(const SetAside&)> on_set_aside;
    // One line about something an operator should know (recovery done, journal unwritable, checkpoint
    // failed).
    std::function<void(std::string_view line)> log;
};

struct RecoveryReport {
    bool was_clean = false;           // the last run ended with stop(): nothing had to be done
    std::size_t batches_found = 0;    // in the journal since the last checkpoint
    std::size_t changes_applied = 0;  // of those
    std::size_t changes_skipped = 0;  // their environment is gone (logged)
    std::size_t files_restored = 0;
    std::vector<std::string> set_aside;  // environments that are out of service
};

struct EngineStatus {
    std::uint64_t batches = 0;
    std::uint64_t transactions = 0;
    std::uint64_t checkpoints = 0;
    std::uint64_t failed_batches = 0;  // journal or disk refused
    std::size_t waiting = 0;
    std::size_t open_environments = 0;
    std::size_t set_aside = 0;        // environments out of service
    std::uint64_t journal_bytes = 0;  // since the last checkpoint
    bool accepting = true;            // false while the disk is full or the journal cannot be written
};

class Engine {
public:
    // `files` outlives the engine; nullptr: the real file system.
    explicit Engine(EngineOptions options, FileLayer* files = nullptr);
    ~Engine();  // stop()
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Before start(). `participant` outlives the engine.
    void add(std::string kind, Participant& participant);

    // Recovers what the journal holds, checkpoints, and starts the threads. An error says in one sentence
    // what is damaged and what can be done; nothing is lost by it, and start() may be called again.
    Result<RecoveryReport> start();

    // Takes no more, finishes what waits, checkpoints, joins the threads. Idempotent.
    void stop();

    // From any thread; never blocks. A transaction is bounded: payloads 4 MiB in sum, 4096 parts, 1024 files.
    void submit(Transaction transaction, Completion completion);
    // The same, waiting for the outcome. Never from the committer's thread.
    Outcome submit_and_wait(Transaction transaction);

    // Calls back (committer's thread) after everything acknowledged so far no longer needs the journal.
    void checkpoint(std::function<void(Result<void>)> done);

    // Forgets an environment whose owner is going to delete it: closed, and its records are passed over in
    // recovery. `done` comes on the committer's thread; then its folder may be removed.
    void drop(std::string environment, std::function<void(Result<void>)> done);

    // For a backup: from now on the state of all environments at one batch boundary, whose number is the
    // answer, stays readable from their files, and message files are not removed; commits go on. `done` comes
    // on the committer's thread. Every hold that succeeded is ended with release(); stop() ends it, too.
    void hold(std::function<void(Result<std::uint64_t> batch)> done);
    // The rest from any thread. The environment's meta pages at the boundary: with them in a copy of its data
    // file that is the state. nullopt when the file as it lies is: nobody has opened it since. Ask after
    // copying. An error when the state is not kept (any more).
    Result<std::optional<kv::MetaPages>> held_pages(const std::string& environment) const;
    // The environments are copied, and need not be kept any more; message files still are.
    void unpin();
    void release();

    // Takes an environment out of service (its work killed the process, a reader found it damaged). `done`
    // comes on the committer's thread, when nobody here has its files open any more.
    void set_aside(std::string environment, Error why, std::function<void(Result<void>)> done);

    // Its folder is whole again: opens it, applies what it is owed (passing over what does not apply any
    // more, and message files that are there already) and takes it back into service. After an error it stays
    // set aside.
    void readmit(std::string environment, std::function<void(Result<void>)> done);

    // What is out of service now. From any thread.
    std::vector<SetAside> set_aside() const;

    EngineStatus status() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

// A new journal for a data folder that was put together from a backup of batch `last_batch`: its numbers go
// on from there, as the environments expect. An error when there is a journal.
Result<void> begin_journal(const std::filesystem::path& root, std::uint64_t last_batch,
                           const std::filesystem::path& journal = "journal");

// ---- for others than deliver

// Opens an environment below `root` for reading, beside the engine of another process. A transient error with
// Fault::busy while a recovery is under way, or one is due: the environments may be torn until then.
Result<std::shared_ptr<kv::Env>> open_for_reading(const std::filesystem::path& root,
                                                  const std::filesystem::path& directory,
                                                  kv::EnvOptions options);

// Whether the environments below `root` may be read: the last run of the engine ended well, or one has
// recovered since (or nothing was ever journaled).
bool is_recovered(const std::filesystem::path& root, const std::filesystem::path& journal = "journal");

// A place in the journal that cannot be read or understood.
struct JournalDamage {
    std::filesystem::path file;
    std::uint64_t offset = 0;
    std::string what;  // one sentence without the place
};

struct JournalState {
    bool exists = false;
    bool was_clean = false;                 // the last run ended with stop()
    std::uint64_t batches = 0;              // since the last checkpoint, as far as they can be read
    std::vector<std::string> environments;  // which those name
    std::vector<std::string> owed;          // environments that are set aside with a debt
    std::vector<JournalDamage> damage;
};

// The journal of a data folder, while no engine runs on it. Changes nothing.
Result<JournalState> inspect_journal(const std::filesystem::path& root,
                                     const std::filesystem::path& journal = "journal");

// The operator's word that the next start may go on without what this damage took: it copies the damaged
// segments aside and applies everything before and after. Holds for exactly this damage.
Result<void> accept_damage(const std::filesystem::path& root, const JournalState& state,
                           const std::filesystem::path& journal = "journal");

}  // namespace mailstead::commit
