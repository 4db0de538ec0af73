#include "common/store/reader.h"

#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "common/commit/engine.h"
#include "common/store/index.h"
#include "common/store/index_check.h"
#include "common/store/rebuild.h"

namespace mailstead::store {

// Where the readers of one account find its index.
struct AccountReader::Slot {
    explicit Slot(AccountId whose) : id(whose) {}

    Outcome<std::shared_ptr<Index>> get() const {
        const std::lock_guard lock(mutex);
        if (!index) return why_closed;
        return index;
    }
    void set(Outcome<std::shared_ptr<Index>> opened) {
        std::shared_ptr<Index> old;  // closed after the lock
        const std::lock_guard lock(mutex);
        old = std::exchange(index, opened ? *std::move(opened) : nullptr);
        if (!index) why_closed = opened.error();
    }

    const AccountId id;
    mutable std::mutex mutex;
    std::shared_ptr<Index> index;
    Failure why_closed;
};

struct Reader::State {
    using Slot = AccountReader::Slot;

    ReaderOptions options;
    std::mutex mutex;
    std::list<std::shared_ptr<Slot>> recent;  // the last used first
    std::unordered_map<AccountId, std::list<std::shared_ptr<Slot>>::iterator> open;
    // Of `recent`, and those that somebody holds still.
    std::unordered_map<AccountId, std::weak_ptr<Slot>> known;

    Outcome<std::shared_ptr<Index>> open_index(AccountId account) const;
    void use(const std::shared_ptr<Slot>& slot);
    std::shared_ptr<Slot> find(AccountId account);
    void renew(Slot& slot) const;
    void forget_the_dead();
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
    auto how = index_options(options.beside_engine ? kv::Access::engine_writer : kv::Access::reader);
    how.must_exist = true;  // the engine makes it
    auto env = options.beside_engine ? kv::Env::open(directory, how)
                                     : commit::open_for_reading(options.root, directory, how);
    // A power cut may leave a torn file of one that was just being made. Nothing was promised in it.
    if (!env && env.error().fault == mailstead::Fault::damaged && !had_index(options.root, account))
        return Failure(Fault::non_existent, "the account is being made");
    if (!env) return Failure(env.error());
    index->env = *std::move(env);
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

std::shared_ptr<AccountReader::Slot> Reader::State::find(AccountId account) {
    const auto found = known.find(account);
    return found != known.end() ? found->second.lock() : nullptr;
}

void Reader::State::use(const std::shared_ptr<Slot>& slot) {
    if (const auto found = open.find(slot->id); found != open.end()) {
        recent.splice(recent.begin(), recent, found->second);
        return;
    }
    recent.push_front(slot);
    open.emplace(slot->id, recent.begin());
    if (recent.size() <= options.max_open_accounts) return;
    open.erase(recent.back()->id);
    recent.pop_back();
    forget_the_dead();
}

void Reader::State::forget_the_dead() {
    if (known.size() <= 2 * options.max_open_accounts + open.size()) return;
    std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
}

void Reader::State::renew(Slot& slot) const {
    const auto index = slot.get();
    if (index && !(*index)->env->is_replaced()) return;
    slot.set(open_index(slot.id));
}

Outcome<AccountReader> Reader::open(AccountId account) {
    const std::lock_guard lock(state_->mutex);
    std::shared_ptr<AccountReader::Slot> slot = state_->find(account);
    if (!slot || !slot->get()) {
        TRY(index, state_->open_index(account));
        if (!slot) {
            slot = std::make_shared<AccountReader::Slot>(account);
            state_->known.insert_or_assign(account, slot);
        }
        slot->set(std::move(index));
    }
    state_->use(slot);
    return AccountReader(std::move(slot));
}

void Reader::close(AccountId account, const Failure& why) {
    const std::lock_guard lock(state_->mutex);
    if (const auto slot = state_->find(account)) slot->set(why);
    const auto found = state_->open.find(account);
    if (found == state_->open.end()) return;
    state_->recent.erase(found->second);
    state_->open.erase(found);
}

void Reader::renew(AccountId account) {
    const std::lock_guard lock(state_->mutex);
    if (const auto slot = state_->find(account)) state_->renew(*slot);
}

void Reader::renew_all() {
    const std::lock_guard lock(state_->mutex);
    for (const auto& [account, known] : state_->known) {
        if (const auto slot = known.lock()) state_->renew(*slot);
    }
}

std::vector<std::pair<AccountId, Failure>> Reader::find_damaged() const {
    std::vector<std::shared_ptr<Index>> indexes;
    {
        const std::lock_guard lock(state_->mutex);
        for (const auto& slot : state_->recent) {
            if (auto index = slot->get()) indexes.push_back(*std::move(index));
        }
    }
    std::vector<std::pair<AccountId, Failure>> damaged;
    for (const auto& index : indexes) {
        const auto sound = kv::check_file(index->env->directory(), true);
        if (!sound && sound.error().fault == mailstead::Fault::damaged) {
            damaged.emplace_back(index->id, sound.error());
        } else if (sound && index->env->is_replaced()) {
            damaged.emplace_back(index->id,
                                 Failure(Fault::damaged, "its index was replaced by another file"));
        }
    }
    return damaged;
}

AccountId AccountReader::id() const {
    return slot_->id;
}

Outcome<Snapshot> AccountReader::snapshot() const {
    TRY(index, slot_->get());
    TRY(transaction, index->env->read());
    return Snapshot(std::make_unique<Snapshot::State>(std::move(index), std::move(transaction)));
}

}  // namespace mailstead::store
