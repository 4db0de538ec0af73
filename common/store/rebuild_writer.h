// Second step of a rebuild: the records of a new index. Internal to the store.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/kv/env.h"
#include "common/store/function_ref.h"
#include "common/store/rebuild_scan.h"
#include "common/store/records.h"

namespace mailstead::store::rebuild {

// A message with all its places: entries of one message id.
struct Found {
    std::span<const Entry> places;
    std::string cache;  // empty: the file could not be read
};

class Writer {
public:
    // The sidecars of the mailboxes are read here. `env` is new and empty.
    Writer(const std::filesystem::path& root, AccountId account, Scan& scan, std::shared_ptr<kv::Env> env,
           const Databases& databases, Time now);

    // Messages in the order of their ids, as many as one transaction should hold.
    Outcome<void> add(std::span<const Found> messages);
    // Everything else; afterwards the index is whole.
    Outcome<void> finish();

private:
    Outcome<void> transact(FunctionRef<Outcome<void>(kv::WriteTransaction&)> work);
    Outcome<void> add_one(kv::WriteTransaction& transaction, const Found& message);
    MessageRecord record_of(const Entry& entry, std::uint64_t thread);
    Keywords keywords_of(const Entry& entry) const;
    Outcome<void> count_messages(kv::WriteTransaction& transaction);
    Outcome<void> write_mailboxes(kv::WriteTransaction& transaction);
    Outcome<void> write_lists(kv::WriteTransaction& transaction);
    Outcome<std::uint64_t> add_task(kv::WriteTransaction& transaction, const Task& task);

    struct Side {
        std::vector<std::pair<std::size_t, UidSet>> keywords;  // bit
        std::map<std::int64_t, UidSet> delays;
        std::map<std::int64_t, UidSet> early;
    };
    struct Counted {
        UidSet all, unseen, deleted, stale;
        std::uint64_t octets = 0;
        std::uint64_t deleted_octets = 0;
    };

    AccountId id_;
    Scan& scan_;
    std::shared_ptr<kv::Env> env_;
    Databases db_;
    std::map<std::uint32_t, Side> sides_;
    std::map<std::uint32_t, Counted> counted_;
    KeywordTable keywords_;
    AccountRecord account_;
    std::uint64_t modseq_ = 0;
};

}  // namespace mailstead::store::rebuild
