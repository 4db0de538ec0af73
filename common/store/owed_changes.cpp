#include "common/store/owed_changes.h"

#include <unordered_set>

#include "common/store/fetch_cache.h"
#include "common/store/function_ref.h"

namespace mailstead::store {
namespace {

std::uint64_t mixed(std::int64_t date, std::uint64_t size) {
    return static_cast<std::uint64_t>(date) * 0x9E3779B97F4A7C15u ^ size;
}

using Visit = FunctionRef<void(std::uint32_t mailbox, std::uint32_t uid, const MessageRecord& record)>;

Outcome<void> each_message(kv::WriteTransaction& transaction, const Databases& databases,
                           std::uint32_t mailbox, Visit visit) {
    TRY(cursor, kv::Cursor::open(transaction, databases.messages));
    TRY(found, cursor.seek(key::message(mailbox, 0)));
    for (bool there = found; there;) {
        kv::KeyReader place(cursor.key());
        const std::uint32_t in = place.u32();
        if (mailbox != 0 && in != mailbox) break;
        visit(in, place.u32(), MessageRecord::decode(cursor.value()));
        TRY(next, cursor.next());
        there = next;
    }
    return {};
}

// 0: there is none yet.
Outcome<std::uint32_t> mailbox_of(kv::WriteTransaction& transaction, const Databases& databases,
                                  const Destination& to) {
    if (to.prefer != SpecialUse::none) {
        TRY(bytes, transaction.get(databases.meta, key::kAccountKey));
        if (bytes) {
            TRY(account, AccountRecord::decode(*bytes));
            if (const std::uint32_t id = account.special[static_cast<std::size_t>(to.prefer)]; id != 0)
                return id;
        }
    }
    TRY(value, transaction.get(databases.names, to.name.utf8()));
    return value ? decode_u32(*value) : 0;
}

}  // namespace

Outcome<void> OwedChanges::learn(kv::WriteTransaction& transaction, const Databases& databases) {
    if (has_learned_) return {};
    has_learned_ = true;
    std::unordered_set<std::uint64_t> seen;
    return each_message(
        transaction, databases, 0, [&](std::uint32_t, std::uint32_t, const MessageRecord& record) {
            if (seen.insert(record.message).second)
                by_date_and_size_.emplace(mixed(record.internal_date, record.size()), record.message);
        });
}

Outcome<bool> OwedChanges::is_there(kv::WriteTransaction& transaction, const Databases& databases,
                                    const NewMessage& message) {
    const std::int64_t date = std::chrono::floor<Seconds>(message.internal_date).time_since_epoch().count();
    const auto [begin, end] = by_date_and_size_.equal_range(mixed(date, message.size));
    for (auto candidate = begin; candidate != end; ++candidate) {
        const kv::Key number = key::number(candidate->second);
        TRY(cache, transaction.get(databases.cache, number));
        if (!cache || !message.cache.starts_with(*cache)) continue;
        const std::string_view rest = std::string_view(message.cache).substr(cache->size());
        TRY(rare, transaction.get(databases.rare, number));
        if (rare.value_or(std::string_view()) != rest) continue;
        by_date_and_size_.erase(candidate);
        return true;
    }
    return false;
}

Outcome<bool> OwedChanges::left_of(kv::WriteTransaction& transaction, const Databases& databases,
                                   Append& append) {
    TRY_VOID(learn(transaction, databases));
    std::vector<NewMessage> left;
    for (NewMessage& message : append.messages) {
        TRY(there, is_there(transaction, databases, message));
        if (!there) left.push_back(std::move(message));
    }
    append.messages = std::move(left);
    append.ignore_quota = true;  // it was accepted
    return !append.messages.empty();
}

// A copy that has its file in the destination is made.
Outcome<bool> OwedChanges::left_of(kv::WriteTransaction& transaction, const Databases& databases,
                                   Copy& copy) {
    TRY(to, mailbox_of(transaction, databases, copy.to));
    if (to == 0) return true;
    std::unordered_set<std::uint64_t> there;
    TRY_VOID(each_message(
        transaction, databases, to,
        [&](std::uint32_t, std::uint32_t, const MessageRecord& record) { there.insert(record.message); }));
    UidSet left;
    TRY_VOID(each_message(transaction, databases, copy.from.value,
                          [&](std::uint32_t, std::uint32_t uid, const MessageRecord& record) {
                              if (copy.uids.contains(Uid(uid)) && !there.contains(record.message))
                                  left.add(Uid(uid));
                          }));
    copy.uids = std::move(left);
    return !copy.uids.empty();
}

Outcome<bool> OwedChanges::take_away_what_is_there(kv::WriteTransaction& transaction,
                                                   const Databases& databases, Change& change) {
    if (std::holds_alternative<Followed>(change.action) || std::holds_alternative<AdoptFile>(change.action))
        return false;
    if (auto* append = std::get_if<Append>(&change.action)) return left_of(transaction, databases, *append);
    if (auto* copy = std::get_if<Copy>(&change.action)) return left_of(transaction, databases, *copy);
    if (auto* replace = std::get_if<Replace>(&change.action)) {
        TRY(left, left_of(transaction, databases, replace->append));
        if (left) return true;
        Expunge expunge;
        expunge.mailbox = replace->from;
        expunge.uids = UidSet::of({replace->uid.value});
        expunge.only_deleted = false;
        change.action = std::move(expunge);
    }
    return true;
}

}  // namespace mailstead::store
