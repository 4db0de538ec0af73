#include "common/store/reader.h"

#include <list>
#include <mutex>
#include <unordered_map>

#include "common/store/index.h"
#include "common/store/index_check.h"
#include "common/store/rebuild.h"

namespace mailstead::store {

struct Reader::State {
    struct Entry {
        AccountId id;
        std::shared_ptr<Index> index;
    };
    ReaderOptions options;
    std::mutex mutex;
    std::list<Entry> recent;  // the last used first
    std::unordered_map<AccountId, std::list<Entry>::iterator> open;

    Outcome<std::shared_ptr<Index>> open_index(AccountId account) const;
};

Reader::Reader(ReaderOptions options) : state_(std::make_unique<State>()) {
    state_->options = std::move(options);
}
Reader::~Reader() = default;

Outcome<std::shared_ptr<Index>> Reader::State::open_index(AccountId account) const {
    const std::filesystem::path directory = options.root / maildir::index_path(account);
    std::error_code error;
    if (!std::filesystem::exists(directory / "data.mdb", error)) {
        if (had_index(options.root, account)) return Failure(Fault::damaged, std::string(kLostIndex));
        return Failure(Fault::non_existent, "the account has no mailboxes yet");
    }
    auto index = std::make_shared<Index>();
    index->id = account;
    index->root = options.root;
    TRY(env, kv::Env::open(directory, index_options(options.beside_engine ? kv::Access::engine_writer
                                                                          : kv::Access::reader)));
    index->env = std::move(env);
    {
        // An index that the writer has only just begun has no databases yet: whoever asks for the account to
        // be made waits until they are there.
        auto databases = open_databases(*index->env);
        if (!databases) return Failure(Fault::non_existent, "the account is being made");
        index->db = *databases;
    }
    TRY(transaction, index->env->read());
    TRY(exists, check_index(transaction, index->db, account));
    if (!exists) return Failure(Fault::non_existent, "the account has no mailboxes yet");
    return index;
}

Outcome<AccountReader> Reader::open(AccountId account) {
    const std::lock_guard lock(state_->mutex);
    auto& recent = state_->recent;
    if (const auto found = state_->open.find(account); found != state_->open.end()) {
        recent.splice(recent.begin(), recent, found->second);
        return AccountReader(recent.front().index);
    }
    TRY(index, state_->open_index(account));
    recent.push_front({account, index});
    state_->open.emplace(account, recent.begin());
    if (recent.size() > state_->options.max_open_accounts) {
        state_->open.erase(recent.back().id);
        recent.pop_back();
    }
    return AccountReader(std::move(index));
}

void Reader::close(AccountId account) {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->open.find(account);
    if (found == state_->open.end()) return;
    state_->recent.erase(found->second);
    state_->open.erase(found);
}

AccountId AccountReader::id() const {
    return index_->id;
}

Outcome<Snapshot> AccountReader::snapshot() const {
    TRY(transaction, index_->env->read());
    return Snapshot(std::make_unique<Snapshot::State>(index_, std::move(transaction)));
}

}  // namespace mailstead::store
