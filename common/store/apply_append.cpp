// Delivery, APPEND, and foreign files taken in.
#include "common/store/applier.h"
#include "common/store/fetch_cache.h"
#include "common/store/header_record.h"
#include "common/store/maildir.h"

namespace mailstead::store {
namespace {

std::int64_t whole_seconds(Time time) {
    return std::chrono::floor<Seconds>(time).time_since_epoch().count();
}

// Ids of references that are looked up: the thread's root and the nearest ancestors.
constexpr std::size_t kReferencesTried = 16;

std::uint32_t hash_subject(std::string_view base_subject) {
    return static_cast<std::uint32_t>(hash_message_id(base_subject));
}

}  // namespace

Outcome<Applier::Arrival> Applier::prepare(const std::vector<NewMessage>& messages) {
    Arrival arrival;
    arrival.records.reserve(messages.size());
    for (const NewMessage& message : messages) {
        if (message.cache.size() > kMaxFetchCache || !CachedMessage::read(message.cache)) {
            return Failure(Fault::invalid, "a message without fetch cache");
        }
        MessageRecord record;
        record.set(message.size, message.flags.system, Place::arriving(message.flags.system));
        record.internal_date = whole_seconds(message.internal_date);
        if (!message.flags.keywords.empty()) {
            TRY(table, keywords());
            TRY(bits, table->take(message.flags.keywords));
            record.keywords = bits.words;
        }
        arrival.octets += message.size;
        arrival.records.push_back(record);
    }
    return arrival;
}

Outcome<void> Applier::check_quota(const Arrival& arrival, const Leaving& leaving) {
    const auto exceeds = [](std::uint64_t used, std::uint64_t more, std::uint64_t limit) {
        return limit != 0 && (used > limit || more > limit - used);
    };
    if (exceeds(account_.octets - leaving.octets, arrival.octets, account_.quota_octets) ||
        exceeds(account_.entries - leaving.entries, arrival.records.size(), account_.quota_messages)) {
        return Failure(Fault::over_quota, "the mailbox is full");
    }
    return {};
}

Outcome<Appended> Applier::arrive(Mailbox& mailbox, Arrival& arrival,
                                  const std::vector<NewMessage>& messages) {
    Appended result;
    result.first_message = MessageId(account_.next_message);
    for (std::size_t n = 0; n < messages.size(); ++n) {
        MessageRecord& record = arrival.records[n];
        record.message = account_.next_message++;
        TRY(thread, thread_of(record.message, messages[n].cache));
        record.thread = thread;
        const std::string_view cache = messages[n].cache;
        const std::size_t rare = CachedMessage::rare_part(cache);
        const kv::Key number = key::number(record.message);
        TRY_VOID(txn_.put(db_.cache, number, cache.substr(0, rare), kv::PutMode::append));
        if (rare < cache.size())
            TRY_VOID(txn_.put(db_.rare, number, cache.substr(rare), kv::PutMode::append));
        if (const auto cached = CachedMessage::read(cache))
            TRY_VOID(txn_.put(db_.headers, number, build_header_record(*cached), kv::PutMode::append));
    }
    account_.messages += messages.size();
    account_.octets += arrival.octets;
    TRY(range, put_in(mailbox, arrival.records));
    TRY_VOID(save_mailbox(mailbox));
    result.mailbox = MailboxId(mailbox.id);
    result.uidvalidity = UidValidity(mailbox.record.uidvalidity);
    result.uids.add(range);
    result.modseq = ModSeq(modseq());
    return result;
}

Outcome<void> Applier::check_files(const Append& action) const {
    for (const NewMessage& message : action.messages) {
        if (message.file >= context_.file_count() || context_.file_size(message.file) != message.size) {
            return Failure(Fault::invalid, "a message whose file is missing");
        }
    }
    return {};
}

Outcome<ChangeResult> Applier::append(const Append& action, const Leaving& leaving) {
    TRY_VOID(check_files(action));
    TRY(arrival, prepare(action.messages));
    if (!action.ignore_quota) TRY_VOID(check_quota(arrival, leaving));
    TRY(mailbox, destination(action.to));
    TRY_VOID(check_room(mailbox, action.messages.size()));
    TRY(result, arrive(mailbox, arrival, action.messages));
    std::uint32_t uid = result.uids.first().value;
    for (std::size_t n = 0; n < action.messages.size(); ++n, ++uid) {
        const FileName name = file_name_of(mailbox.id, uid, arrival.records[n]);
        context_.link_file(action.messages[n].file, maildir::file_path(id_, mailbox.record.folder, name));
    }
    return ChangeResult(std::move(result));
}

Outcome<ChangeResult> Applier::run(const Append& action) {
    return append(action, Leaving());
}

Outcome<Applier::Leaving> Applier::leaving(const Mailbox& mailbox, Uid uid) {
    TRY(bytes, txn_.get(db_.messages, key::message(mailbox.id, uid.value)));
    if (!bytes) return Failure(Fault::gone, "the message is no more");
    const MessageRecord record = MessageRecord::decode(*bytes);
    if (record.message == 0) return Failure(Fault::damaged, "a message record is cut");
    TRY(shared, txn_.get(db_.references, key::number(record.message)));
    return Leaving{shared ? 0 : record.size(), 1};
}

// RFC 8508, 3.4. The new one first: whatever refuses it refuses before anything is written.
Outcome<ChangeResult> Applier::run(const Replace& action) {
    Leaving less;
    {
        TRY(from, load_mailbox(action.from));
        TRY(found, leaving(from, action.uid));
        less = found;
    }
    TRY(result, append(action.append, less));
    TRY(from, load_mailbox(action.from));
    TRY(gone, expunge(from, UidSet::of({action.uid.value})));
    TRY_VOID(bury(from, gone));
    TRY_VOID(save_mailbox(from));
    return result;
}

Outcome<ChangeResult> Applier::run(const AdoptFile& action) {
    std::vector<NewMessage> messages = {action.message};
    TRY(arrival, prepare(messages));
    TRY(mailbox, load_mailbox(action.mailbox));
    TRY_VOID(check_room(mailbox, 1));
    Task task;
    task.kind = Task::Kind::adopt;
    task.path = action.path;
    arrival.records.front().message = account_.next_message;
    task.file = file_name_of(mailbox.id, mailbox.record.uidnext, arrival.records.front());
    TRY(number, add_task(task));
    arrival.records.front().task = number;
    TRY(result, arrive(mailbox, arrival, messages));
    return ChangeResult(std::move(result));
}

// RFC 8474, 5.2: messages are of one thread when one refers to the other, or both to a third, as long as the
// base subject stays.
Outcome<std::uint64_t> Applier::thread_of(std::uint64_t message, std::string_view cache) {
    const auto cached = CachedMessage::read(cache);
    if (!cached) return Failure(Fault::invalid, "a message without fetch cache");
    const std::uint64_t own = cached->message_id_hash();
    const std::vector<std::uint64_t> references = cached->reference_hashes();
    ThreadEntry entry{message, hash_subject(cached->base_subject())};

    const auto joins = [&](std::uint64_t id) -> Outcome<bool> {
        TRY(value, txn_.get(db_.threads, key::number(id)));
        if (!value) return false;
        const ThreadEntry other = ThreadEntry::decode(*value);
        if (other.subject != entry.subject) return false;
        entry.thread = other.thread;
        return true;
    };
    bool joined = false;
    if (own != 0) {
        TRY(found, joins(own));
        joined = found;
    }
    for (std::size_t n = 0; n < references.size() && n < kReferencesTried && !joined; ++n) {
        TRY(found, joins(references[references.size() - 1 - n]));
        joined = found;
    }
    if (!joined && references.size() > kReferencesTried) TRY_VOID(joins(references.front()));

    // The parent and the root too, which may arrive later or in another mailbox.
    TRY(known, txn_.count(db_.threads));
    if (known >= kMaxThreadEntries) return entry.thread;
    const std::string bytes = entry.encode();
    if (own != 0) TRY_VOID(txn_.put(db_.threads, key::number(own), bytes, kv::PutMode::keep_existing));
    if (!references.empty()) {
        TRY_VOID(txn_.put(db_.threads, key::number(references.back()), bytes, kv::PutMode::keep_existing));
        TRY_VOID(txn_.put(db_.threads, key::number(references.front()), bytes, kv::PutMode::keep_existing));
    }
    return entry.thread;
}

}  // namespace mailstead::store
