// Private to this folder: the environments which the committer has open.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/commit/engine.h"
#include "common/commit/hold.h"
#include "common/commit/participant.h"
#include "common/commit/volumes.h"
#include "common/kv/env.h"

namespace mailstead::commit {

struct Holding {
    std::string key;
    std::shared_ptr<kv::Env> env;
    std::unique_ptr<Environment> environment;

    kv::Pin pin;             // the snapshot to which recovery returns: of the last completed checkpoint
    kv::Pin next_pin;        // of the checkpoint under way
    kv::MetaPages meta;      // of the newest of the two
    bool journaled = false;  // a frame since `meta` was taken names this environment (and carries `meta`)
    std::size_t commits = 0;
    std::uint64_t pages_at_checkpoint = 0;
    std::uint64_t last_batch = 0;  // the last batch it holds

    std::optional<kv::WriteTransaction> transaction;  // of the batch in work
    std::uint64_t writes_before_stamp = 0;

    bool is_clean() const { return !journaled && !next_pin && !transaction; }
};

class Holdings {
public:
    Holdings(const EngineOptions& options, Volumes& volumes) : options_(options), volumes_(volumes) {}

    void add(std::string kind, Participant& participant) { participants_[std::move(kind)] = &participant; }

    // The open environment of this key, opening it if necessary. Closes long unused ones that need no
    // checkpoint.
    Result<Holding*> get(const std::string& key);
    Holding* find(const std::string& key);
    void close(const std::string& key);
    void close_all();

    // Where the environment lies, without opening it.
    Result<EnvironmentPlace> locate(const std::string& key) const;

    Hold& hold() { return hold_; }

    OnDamage on_damage(const std::string& key) const;
    bool rebuild_finds_files(const std::string& key) const;
    // Puts the files of a closed environment aside (<folder>/damaged-<time>), so that the next get() makes
    // new ones.
    Result<void> begin_anew(FileLayer& files, const std::string& key) const;

    // From now on get() refuses it with Fault::set_aside / opens it again.
    void put_out(const std::string& key, const Error& why);
    void take_in(const std::string& key);
    bool is_out(const std::string& key) const { return out_.contains(key); }

    std::size_t size() const { return by_key_.size(); }
    bool too_many() const { return by_key_.size() > options_.max_open_environments; }

    template <class Function>
    void for_each(Function function) {
        for (auto& holding : order_) function(*holding);
    }

private:
    using Order = std::list<std::unique_ptr<Holding>>;  // most recently used first
    Result<std::unique_ptr<Holding>> open(const std::string& key);
    Result<std::pair<Participant*, std::string>> participant_of(const std::string& key) const;
    void close_unused();

    const EngineOptions& options_;
    Volumes& volumes_;
    std::map<std::string, Participant*, std::less<>> participants_;
    Hold hold_;
    std::map<std::string, Error, std::less<>> out_;  // out of service, and why
    Order order_;
    std::unordered_map<std::string, Order::iterator> by_key_;
};

// Which batch an environment holds last, kept in its unnamed database and written with every commit.
Result<std::uint64_t> read_stamp(const kv::Env& env);
Result<void> write_stamp(const kv::Env& env, kv::WriteTransaction& transaction, std::uint64_t batch);

}  // namespace mailstead::commit
