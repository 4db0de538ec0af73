#include "common/store/shares.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/kv/keys.h"

namespace mailstead::store {
namespace {

// with: with, owner -> stamp (u64)    by: owner, with -> nothing    meta: format and the last stamp
constexpr std::string_view kWith = "with";
constexpr std::string_view kBy = "by";
constexpr std::string_view kMeta = "meta";
constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kStampKey = "stamp";
constexpr std::uint64_t kFormat = 1;

kv::Key pair(AccountId first, AccountId second) {
    kv::Key key;
    key.u32(first.value).u32(second.value);
    return key;
}

std::string encode_number(std::uint64_t n) {
    ByteWriter out;
    out.fixed64(n);
    return out.take();
}

// The second halves of the keys that begin with `first`.
template <class AnyTransaction>
Result<std::vector<AccountId>> seconds_of(AnyTransaction& transaction, kv::Database database,
                                          AccountId first) {
    std::vector<AccountId> list;
    TRY(cursor, kv::Cursor::open(transaction, database));
    TRY(found, cursor.seek(pair(first, AccountId())));
    for (bool there = found; there;) {
        kv::KeyReader row(cursor.key());
        if (row.u32() != first.value) break;
        list.push_back(AccountId(row.u32()));
        TRY(next, cursor.next());
        there = next;
    }
    return list;
}

class SharesEnvironment final : public commit::Environment {
public:
    SharesEnvironment(std::shared_ptr<kv::Env> env, const std::vector<kv::Database>& databases)
        : env_(std::move(env)), with_(databases[0]), by_(databases[1]), meta_(databases[2]) {}

    Result<std::string> apply(kv::WriteTransaction& transaction, std::string_view bytes,
                              commit::ApplyContext&) override {
        TRY(change, decode_share_change(bytes));
        TRY_VOID(std::visit([&](const auto& each) { return run(transaction, each); }, change));
        return std::string();
    }

private:
    Result<void> run(kv::WriteTransaction& transaction, const NoteShare& change) {
        if (!change.owner) return {};  // deliver makes the environment so
        TRY(last, transaction.get(meta_, kStampKey));
        const std::uint64_t stamp = (last ? ByteReader(*last).fixed64() : 0) + 1;
        TRY_VOID(transaction.put(meta_, kStampKey, encode_number(stamp)));
        TRY_VOID(transaction.put(with_, pair(change.with, change.owner), encode_number(stamp)));
        TRY_VOID(transaction.put(by_, pair(change.owner, change.with), "1"));
        return {};
    }

    Result<void> run(kv::WriteTransaction& transaction, const DropShare& change) {
        TRY(stamp, transaction.get(with_, pair(change.with, change.owner)));
        if (!stamp || ByteReader(*stamp).fixed64() != change.stamp) return {};
        return erase(transaction, change.owner, change.with);
    }

    Result<void> run(kv::WriteTransaction& transaction, const ForgetSharer& change) {
        TRY(withs, seconds_of(transaction, by_, change.account));
        for (const AccountId with : withs) TRY_VOID(erase(transaction, change.account, with));
        TRY(owners, seconds_of(transaction, with_, change.account));
        for (const AccountId owner : owners) TRY_VOID(erase(transaction, owner, change.account));
        return {};
    }

    Result<void> erase(kv::WriteTransaction& transaction, AccountId owner, AccountId with) {
        TRY_VOID(transaction.erase(with_, pair(with, owner)));
        TRY_VOID(transaction.erase(by_, pair(owner, with)));
        return {};
    }

    std::shared_ptr<kv::Env> env_;
    kv::Database with_, by_, meta_;
};

Result<void> check_format(kv::Env& env, kv::Database meta) {
    return env.update([&](kv::WriteTransaction& transaction) -> Result<void> {
        TRY(found, transaction.get(meta, kFormatKey));
        if (found && ByteReader(*found).fixed64() > kFormat)
            return permanent_error("the table of shares was written by a newer version of Mailstead");
        if (!found) TRY_VOID(transaction.put(meta, kFormatKey, encode_number(kFormat)));
        return {};
    });
}

}  // namespace

// change = kind:u8 accounts [stamp]
std::string encode(const ShareChange& change) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(change.index()));
    if (const auto* note = std::get_if<NoteShare>(&change)) {
        out.varint(note->owner.value);
        out.varint(note->with.value);
    } else if (const auto* drop = std::get_if<DropShare>(&change)) {
        out.varint(drop->owner.value);
        out.varint(drop->with.value);
        out.varint(drop->stamp);
    } else if (const auto* forget = std::get_if<ForgetSharer>(&change)) {
        out.varint(forget->account.value);
    }
    return out.take();
}

Result<ShareChange> decode_share_change(std::string_view bytes) {
    ByteReader in(bytes);
    ShareChange change;
    const std::uint8_t kind = in.u8();
    const AccountId first(in.varint32());
    if (kind == 0) {
        change = NoteShare{first, AccountId(in.varint32())};
    } else if (kind == 1) {
        const AccountId with(in.varint32());
        change = DropShare{first, with, in.varint()};
    } else if (kind == 2) {
        change = ForgetSharer{first};
    }
    if (kind > 2 || !in.ok() || !in.at_end()) return permanent_error("malformed change of shares");
    return change;
}

Result<commit::EnvironmentPlace> SharesParticipant::locate(std::string_view name) {
    if (!name.empty()) return permanent_error("there is one table of shares");
    commit::EnvironmentPlace place;
    place.directory = "shares";
    return place;
}

Result<std::unique_ptr<commit::Environment>> SharesParticipant::attach(std::string_view,
                                                                       std::shared_ptr<kv::Env> env) {
    TRY(databases, env->open_databases({kWith, kBy, kMeta}));
    TRY_VOID(check_format(*env, databases[2]));
    return std::unique_ptr<commit::Environment>(
        std::make_unique<SharesEnvironment>(std::move(env), databases));
}

// ---- reading

Result<SharesReader::Open> SharesReader::open() const {
    const std::lock_guard lock(mutex_);
    if (open_ && !open_->env->is_replaced()) return *open_;
    open_.reset();
    TRY(env, kv::Env::open(directory_, kv::EnvOptions{}));
    TRY(databases, env->open_databases({kWith, kBy}));
    open_ = Open{std::move(env), databases[0], databases[1]};
    return *open_;
}

void SharesReader::close() {
    const std::lock_guard lock(mutex_);
    open_.reset();
}

Result<std::vector<AccountId>> SharesReader::sharers(AccountId with) const {
    TRY(shares, open());
    TRY(transaction, shares.env->read());
    TRY(owners, seconds_of(transaction, shares.with, with));
    TRY(of_all, seconds_of(transaction, shares.with, kAnyone));
    owners.insert(owners.end(), of_all.begin(), of_all.end());
    std::sort(owners.begin(), owners.end());
    owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
    std::erase(owners, with);
    return owners;
}

Result<bool> SharesReader::is_sharer(AccountId owner, AccountId with) const {
    TRY(own, stamp(owner, with));
    if (own) return true;
    TRY(of_all, stamp(owner, kAnyone));
    return of_all.has_value();
}

Result<std::vector<AccountId>> SharesReader::shared_by(AccountId owner) const {
    TRY(shares, open());
    TRY(transaction, shares.env->read());
    return seconds_of(transaction, shares.by, owner);
}

Result<std::optional<std::uint64_t>> SharesReader::stamp(AccountId owner, AccountId with) const {
    TRY(shares, open());
    TRY(transaction, shares.env->read());
    TRY(found, transaction.get(shares.with, pair(with, owner)));
    return found ? std::optional(ByteReader(*found).fixed64()) : std::nullopt;
}

}  // namespace mailstead::store
