// What the commit engine asks of those whose environments it owns: the store (accounts), the queue, the
// ledger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/kv/env.h"

namespace mailstead::commit {

// One step that a change wants done to message files (not folders). Paths are relative to the engine's root
// (the data folder). A path that was removed may not be used again by another file: within a batch links come
// before removals.
struct FileStep {
    enum class Kind : std::uint8_t {
        link_file,  // before the commit: the transaction's file `file` appears at `to`
        link_path,  // before the commit: the file at `from` appears at `to` as well
        rename,  // before the commit `to` appears beside `from`, after it `from` goes; missing `from` is no
                 // error, an existing `to` is replaced
        remove,  // after the commit; a missing file is no error
    };
    Kind kind = Kind::link_file;
    std::size_t file = 0;
    std::string from;
    std::string to;
};

// Given to apply(). Collects the file steps of one change.
class ApplyContext {
public:
    ApplyContext(std::vector<std::uint64_t> file_sizes, bool replaying)
        : file_sizes_(std::move(file_sizes)), replaying_(replaying) {}

    // How many message files came with the transaction, and the size of each in bytes. A change refers to
    // them by index.
    std::size_t file_count() const { return file_sizes_.size(); }
    std::uint64_t file_size(std::size_t file) const { return file_sizes_[file]; }

    // The file is hard-linked to `to` before the commit, by any number of parts of the transaction. Missing
    // folders are created. In recovery it is written again from the journal where it is missing or differs.
    void link_file(std::size_t file, std::string to) {
        steps_.push_back({FileStep::Kind::link_file, file, {}, std::move(to)});
    }
    // One more name for a file that lies at `from` already (COPY between folders). Missing `from` is an
    // error: the batch is undone; in recovery it is passed over.
    void link_path(std::string from, std::string to) {
        steps_.push_back({FileStep::Kind::link_path, 0, std::move(from), std::move(to)});
    }
    // Until the commit the file has both names. If removing the old one fails it stays as a leftover: the
    // index is right with the new one.
    void rename_after_commit(std::string from, std::string to) {
        steps_.push_back({FileStep::Kind::rename, 0, std::move(from), std::move(to)});
    }
    void remove_after_commit(std::string path) {
        steps_.push_back({FileStep::Kind::remove, 0, {}, std::move(path)});
    }

    // Whether the change comes out of the journal again. For logs; the effect must be the same.
    bool replaying() const { return replaying_; }

    // The change comes out of a debt, onto an environment that was rebuilt from its files meanwhile
    // (Engine::readmit): numbers inside it may differ from those the change was made for, and what it did to
    // files is done. A change that makes no sense there is refused; that is logged and passed over.
    bool onto_rebuilt() const { return onto_rebuilt_; }
    void set_onto_rebuilt() { onto_rebuilt_ = true; }

    std::vector<FileStep>& steps() { return steps_; }

private:
    std::vector<std::uint64_t> file_sizes_;
    std::vector<FileStep> steps_;
    bool replaying_ = false;
    bool onto_rebuilt_ = false;
};

// One open environment. All calls come from the committer's thread.
class Environment {
public:
    virtual ~Environment() = default;

    // Applies one change inside the batch's transaction, which already holds the changes before it, and
    // answers the result's bytes. Deterministic: the same state and bytes give the same effect and result, in
    // recovery too. No clock, no randomness, no file reads. An error refuses this change alone. Prefer to
    // fail before the first write: the engine notices writes of a failed change and then has to undo and
    // repeat the changes before it. File steps of a failed change are dropped. May be called again for the
    // same change after an undo, so nothing may be kept in memory from one call to the next that after_undo()
    // does not drop.
    virtual Result<std::string> apply(kv::WriteTransaction& transaction, std::string_view change,
                                      ApplyContext& context) = 0;

    // The batch's transaction is committed / was undone.
    virtual void after_commit() {}
    virtual void after_undo() {}

    // A checkpoint begins: what else is to be durable with it, such as files beside the environment. What is
    // returned runs on another thread before the checkpoint's sync, and may outlive the environment; it says
    // how things stand now. Empty: nothing.
    virtual std::function<void()> beside_checkpoint() { return {}; }
};

// Where an environment lies and how it is opened.
struct EnvironmentPlace {
    std::filesystem::path directory;  // relative to the engine's root, such as accounts/7/index
    kv::EnvOptions options;           // access is set by the engine
    // It was there before: a missing or empty data file is damage, not the first use.
    bool must_exist = false;
};

// What the engine does with an environment that is damaged.
enum class OnDamage : std::uint8_t {
    set_aside,   // out of service until Engine::readmit(); its share of the journal is kept
    begin_anew,  // its files go to <folder>/damaged-<time>, and it begins empty
};

// The owner of all environments of one kind: "account" answers for account/1, account/2, ...; "queue" for
// queue itself. Calls come from the committer's thread, and during recovery from the thread that starts the
// engine.
class Participant {
public:
    virtual ~Participant() = default;

    // `name` is what follows "kind/" ("7"), empty for a kind with one environment. An error refuses the
    // change ("no such account").
    virtual Result<EnvironmentPlace> locate(std::string_view name) = 0;

    // Takes an environment that was just opened into use: opens (and creates) its databases, migrates its
    // format. Changes made here are not journaled: use Env::open_databases and Env::update, which are durable
    // by themselves here. The state before is held until the next checkpoint: recovery returns to it and
    // attaches again. Writes nothing where there is nothing to write.
    virtual Result<std::unique_ptr<Environment>> attach(std::string_view name,
                                                        std::shared_ptr<kv::Env> env) = 0;

    // What becomes of an environment that cannot be opened, restored or written. begin_anew is for what may
    // be lost without loss of mail.
    virtual OnDamage on_damage(std::string_view /*name*/) { return OnDamage::set_aside; }

    // Whether a rebuild of such an environment takes in the message files that it finds: then changes of a
    // debt whose files are all there are done already (Engine::readmit). False: they are applied.
    virtual bool rebuild_finds_files(std::string_view /*name*/) { return true; }
};

}  // namespace mailstead::commit
