#include "common/store/threads.h"

#include "common/store/fetch_cache.h"

namespace mailstead::store {
namespace {

// Ids of references that are looked up: the thread's root and the nearest ancestors.
constexpr std::size_t kReferencesTried = 16;

std::uint32_t hash_subject(std::string_view base_subject) {
    return static_cast<std::uint32_t>(hash_message_id(base_subject));
}

}  // namespace

// RFC 8474, 5.2: messages are of one thread when one refers to the other, or both to a third, as long as the
// base subject stays.
Outcome<std::uint64_t> thread_of(kv::WriteTransaction& transaction, const Databases& db,
                                 std::uint64_t message, std::string_view cache) {
    const auto cached = CachedMessage::read(cache);
    if (!cached) return Failure(Fault::invalid, "a message without fetch cache");
    const std::uint64_t own = cached->message_id_hash();
    const std::vector<std::uint64_t> references = cached->reference_hashes();
    ThreadEntry entry{message, hash_subject(cached->base_subject())};

    const auto joins = [&](std::uint64_t id) -> Outcome<bool> {
        TRY(value, transaction.get(db.threads, key::number(id)));
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
    TRY(known, transaction.count(db.threads));
    if (known >= kMaxThreadEntries) return entry.thread;
    const std::string bytes = entry.encode();
    if (own != 0) TRY_VOID(transaction.put(db.threads, key::number(own), bytes, kv::PutMode::keep_existing));
    if (!references.empty()) {
        TRY_VOID(
            transaction.put(db.threads, key::number(references.back()), bytes, kv::PutMode::keep_existing));
        TRY_VOID(
            transaction.put(db.threads, key::number(references.front()), bytes, kv::PutMode::keep_existing));
    }
    return entry.thread;
}

}  // namespace mailstead::store
