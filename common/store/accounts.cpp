#include "common/store/accounts.h"

#include <algorithm>
#include <unordered_map>

#include "common/base/text.h"
#include "common/store/applier.h"
#include "common/store/index_check.h"
#include "common/store/maildir.h"
#include "common/store/owed_changes.h"
#include "common/store/rebuild.h"
#include "common/store/records.h"

namespace mailstead::store {

class Accounts::Memory {
public:
    void note(AccountId account, const Action& action, const ChangeResult& result);
    Changed take(AccountId account) {
        const auto found = accounts_.find(account);
        if (found == accounts_.end()) return {};
        Changed changed = std::move(found->second.changed);
        if (found->second.anywhere) changed.mailboxes.clear();
        accounts_.erase(found);
        return changed;
    }

private:
    // More than this, and looking at all of them is no dearer.
    static constexpr std::size_t kMost = 64;
    struct Entry {
        Changed changed;
        bool anywhere = false;
    };
    static void add(Entry& entry, MailboxId mailbox) {
        auto& list = entry.changed.mailboxes;
        if (std::find(list.begin(), list.end(), mailbox) == list.end()) list.push_back(mailbox);
        entry.anywhere = entry.anywhere || list.size() > kMost;
    }
    std::unordered_map<AccountId, Entry> accounts_;
};

// Changes of messages name their mailboxes. Anything else is rare, and concerns names: look everywhere.
void Accounts::Memory::note(AccountId account, const Action& action, const ChangeResult& result) {
    if (std::holds_alternative<Followed>(action)) return;
    Entry& entry = accounts_[account];
    entry.changed.visible = true;
    if (entry.anywhere) return;
    if (const auto* store = std::get_if<StoreFlags>(&action)) return add(entry, store->mailbox);
    if (const auto* expunge = std::get_if<Expunge>(&action)) return add(entry, expunge->mailbox);
    // UID 1: the mailbox itself may have come into being with it.
    if (const auto* appended = std::get_if<Appended>(&result)) {
        entry.anywhere = appended->uids.contains(Uid(1));
        return add(entry, appended->mailbox);
    }
    if (const auto* copied = std::get_if<Copied>(&result);
        copied != nullptr && std::holds_alternative<Copy>(action)) {
        entry.anywhere = copied->destination.contains(Uid(1));
        add(entry, std::get<Copy>(action).from);
        return add(entry, copied->mailbox);
    }
    entry.anywhere = true;
}

namespace {

class AccountEnvironment final : public commit::Environment {
public:
    AccountEnvironment(AccountId id, std::shared_ptr<kv::Env> env, const Databases& databases,
                       std::shared_ptr<Accounts::Memory> memory)
        : id_(id), env_(std::move(env)), databases_(databases), memory_(std::move(memory)) {}

    Result<std::string> apply(kv::WriteTransaction& transaction, std::string_view bytes,
                              commit::ApplyContext& context) override {
        auto change = decode_change(bytes);
        if (!change) return to_error(change.error());
        if (context.onto_rebuilt()) {
            if (!owed_) owed_.emplace();
            const auto left = owed_->take_away_what_is_there(transaction, databases_, *change);
            if (!left) return to_error(left.error());
            if (!*left) return encode(ChangeResult(Done{}));
        } else {
            owed_.reset();
        }
        const auto result = Applier(transaction, databases_, id_, context).apply(*change);
        if (!result) return to_error(result.error());
        memory_->note(id_, change->action, *result);
        return encode(*result);
    }

private:
    AccountId id_;
    std::shared_ptr<kv::Env> env_;
    Databases databases_;
    std::shared_ptr<Accounts::Memory> memory_;
    std::optional<OwedChanges> owed_;  // while a debt is paid
};

std::optional<AccountId> parse_id(std::string_view name) {
    const auto number = text::parse_number<std::uint32_t>(name);
    // One spelling for each account: "07" would be a second environment in the same folder.
    if (!number || *number == 0 || std::to_string(*number) != name) return std::nullopt;
    return AccountId(*number);
}

}  // namespace

Accounts::Accounts(std::function<void(std::string_view)> log, std::filesystem::path root)
    : log_(std::move(log)), root_(std::move(root)), memory_(std::make_shared<Memory>()) {}
Accounts::~Accounts() = default;

Accounts::Changed Accounts::take_changed(AccountId account) {
    return memory_->take(account);
}

Result<commit::EnvironmentPlace> Accounts::locate(std::string_view name) {
    const auto id = parse_id(name);
    if (!id) return to_error(Failure(Fault::non_existent, "no such account"));
    commit::EnvironmentPlace place;
    place.directory = maildir::index_path(*id);
    place.options = index_options(kv::Access::engine_writer);
    place.must_exist = !root_.empty() && lost_index(root_, *id);
    place.options.blank_is_new = !root_.empty() && !had_index(root_, *id);
    return place;
}

Result<std::unique_ptr<commit::Environment>> Accounts::attach(std::string_view name,
                                                              std::shared_ptr<kv::Env> env) {
    const auto id = parse_id(name);
    if (!id) return to_error(Failure(Fault::non_existent, "no such account"));
    TRY(databases, open_databases(*env));
    TRY(transaction, env->read());
    if (const auto checked = check_index(transaction, databases, *id); !checked) {
        if (log_) log_("account " + std::string(name) + ": " + checked.error().what);
        return to_error(checked.error());
    }
    return std::unique_ptr<commit::Environment>(
        std::make_unique<AccountEnvironment>(*id, std::move(env), databases, memory_));
}

}  // namespace mailstead::store
