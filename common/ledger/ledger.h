// What happened to each message: one line for each stage, kept for weeks, found by the message's id.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/commit/engine.h"
#include "common/ipc/messages.h"
#include "common/kv/env.h"

namespace mailstead::ledger {

// The ledger's environment for the commit engine.
inline constexpr std::string_view kEnvironment = "ledger";

// Bounds: the oldest lines go first.
struct Limits {
    Seconds age = std::chrono::days(60);
    std::uint64_t lines = 2'000'000;
};

// The part of a transaction that adds these lines, in their order.
commit::Part part(const std::vector<ipc::LedgerLine>& lines);

// deliver adds it to the engine as kind "ledger".
class LedgerParticipant final : public commit::Participant {
public:
    explicit LedgerParticipant(Limits limits = {}) : limits_(limits) {}
    Result<commit::EnvironmentPlace> locate(std::string_view name) override;
    Result<std::unique_ptr<commit::Environment>> attach(std::string_view name,
                                                        std::shared_ptr<kv::Env> env) override;
    // It tells what happened to mail, and is never a reason not to take any.
    commit::OnDamage on_damage(std::string_view) override { return commit::OnDamage::begin_anew; }

private:
    Limits limits_;
};

// Reads the ledger: `mailstead trace`. Thread-safe.
class Reader {
public:
    // `data_dir`/ledger.
    static Result<Reader> open(const std::filesystem::path& data_dir);

    // The lines of one message in the order in which they were written; empty for an unknown id.
    Result<std::vector<ipc::LedgerLine>> find(std::string_view trace_id) const;
    // Backwards from the newest line; the visitor returns false to stop.
    Result<void> newest_first(const std::function<bool(const ipc::LedgerLine&)>& visit) const;

private:
    Reader(std::shared_ptr<kv::Env> env, kv::Database lines, kv::Database by_id)
        : env_(std::move(env)), lines_(lines), by_id_(by_id) {}
    std::shared_ptr<kv::Env> env_;
    kv::Database lines_;
    kv::Database by_id_;
};

}  // namespace mailstead::ledger
