// Delivery, APPEND, and foreign files taken in.
#include "common/store/applier.h"
#include "common/store/fetch_cache.h"
#include "common/store/header_record.h"
#include "common/store/maildir.h"
#include "common/store/threads.h"

namespace mailstead::store {
namespace {

std::int64_t whole_seconds(Time time) {
    return std::chrono::floor<Seconds>(time).time_since_epoch().count();
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
        TRY(thread, thread_of(txn_, db_, record.message, messages[n].cache));
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

}  // namespace mailstead::store
