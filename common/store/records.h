// What lies in an account's index: databases, keys, records, format version. Internal to the store.
//
//   meta           "format", "account", "keywords"   version; AccountRecord; KeywordTable; "id": whose it is
//   mailboxes      mailbox                           MailboxRecord
//   names          name                              mailbox
//   folders        folder of the Maildir             mailbox
//   subscriptions  name                              -
//   messages       mailbox, UID                      MessageRecord
//   runs           mailbox, first UID                last UID: the UIDs that exist, as ranges
//   unseen         mailbox, first UID                last UID: those without \Seen
//   deleted        mailbox, first UID                last UID: those with \Deleted
//   changes        mailbox, mod-sequence, first UID  last UID: messages by mod-sequence
//   expunged       mailbox, mod-sequence, first UID  last UID
//   renames        mailbox, first UID                last UID: file names that may no longer tell the flags
//   tasks          number                            Task: what is to be done with files, in order
//   references     message id                        how many entries of mailboxes share it, if more than one
//   cache          message id                        fetch cache, without its rare part
//   rare           message id                        the rare part, if the message has one
//   headers        message id                        what SEARCH and SORT need: header_record.h
//   threads        hash of a Message-ID              ThreadEntry
//   metadata       mailbox (0: account), entry name  AnnotationRecord
//   acl            mailbox, account, sign            rights: access lists (account 0: anyone; sign 1:
//   negative) grants         account, mailbox                  - : where `acl` has a line for the account
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/kv/env.h"
#include "common/kv/keys.h"
#include "common/store/rights.h"
#include "common/store/values.h"

namespace mailstead::store {

static_assert(std::endian::native == std::endian::little,
              "records are kept in the byte order of the machine");

inline constexpr std::uint32_t kFormat = 1;

struct Databases {
    kv::Database meta, mailboxes, names, folders, subscriptions, messages, runs, unseen, deleted, changes,
        expunged, renames, tasks, references, cache, rare, threads, metadata, acl, grants, headers;
};
Result<Databases> open_databases(kv::Env& env);
kv::EnvOptions index_options(kv::Access access);

struct AccountRecord {
    std::uint64_t next_message = 1;
    std::uint64_t next_task = 1;
    std::uint64_t modseq = 1;
    std::uint64_t messages = 0;
    std::uint64_t octets = 0;
    std::uint64_t quota_octets = 0;
    std::uint64_t quota_messages = 0;
    std::uint32_t next_mailbox = 1;
    std::uint32_t last_uidvalidity = 0;
    std::array<std::uint32_t, 6> special{};  // the mailbox with each SpecialUse
    // Records of older programs end here.
    std::uint64_t entries = 0;  // messages of all mailboxes, copies counted
    std::uint64_t quota_mailboxes = 0;
    std::uint64_t metadata_modseq = 0;  // of the last change of an annotation
    bool knows_entries = true;          // false: an older record, `entries` is to be counted

    std::string encode() const;
    static Outcome<AccountRecord> decode(std::string_view bytes);
};

struct MailboxRecord {
    std::string name;
    std::string folder;  // where its files lie now; empty for INBOX. May differ from what the name asks for
    std::uint64_t highestmodseq = 0;
    std::uint64_t vanished_floor = 0;
    std::uint64_t octets = 0;
    std::uint64_t deleted_octets = 0;
    std::int64_t created = 0;  // milliseconds
    std::uint32_t uidvalidity = 0;
    std::uint32_t uidnext = 1;
    std::uint32_t messages = 0;
    std::uint32_t unseen = 0;
    std::uint32_t deleted = 0;
    std::uint32_t expunged_rows = 0;
    SpecialUse special_use = SpecialUse::none;
    bool is_gone = false;  // deleted; waits for its messages to be purged

    std::string encode() const;
    static Outcome<MailboxRecord> decode(std::string_view bytes);
};

// Which of a folder's two directories a file is in, and the flags that its name tells: the letters' bits are
// SystemFlags.
class Place {
public:
    static constexpr std::uint8_t kNew = 0x80;
    constexpr explicit Place(std::uint8_t bits = 0) : bits_(bits) {}
    // Where a message with these flags belongs: `was` new/ stays new/ while it has none.
    static constexpr Place wanted(SystemFlags flags, Place was) {
        return flags.empty() && was.in_new() ? was : Place(flags.bits());
    }
    static constexpr Place arriving(SystemFlags flags) {
        return flags.empty() ? Place(kNew) : Place(flags.bits());
    }
    constexpr std::uint8_t bits() const { return bits_; }
    constexpr bool in_new() const { return (bits_ & kNew) != 0; }
    constexpr SystemFlags flags() const { return SystemFlags::from_bits(bits_); }
    friend constexpr bool operator==(Place, Place) = default;

private:
    std::uint8_t bits_;
};

// 72 bytes, copied as they are.
struct MessageRecord {
    std::uint64_t message = 0;
    std::uint64_t thread = 0;
    std::uint64_t modseq = 0;
    std::array<std::uint64_t, 2> keywords{};
    std::int64_t internal_date = 0;  // seconds
    std::int64_t save_date = 0;      // seconds
    std::uint64_t task = 0;          // the file is on its way: see that task. 0: it is where `place` says
    std::uint64_t packed = 0;        // size << 16 | flags << 8 | place

    std::uint64_t size() const { return packed >> 16; }
    SystemFlags flags() const { return SystemFlags::from_bits(static_cast<std::uint8_t>(packed >> 8)); }
    Place place() const { return Place(static_cast<std::uint8_t>(packed)); }
    void set(std::uint64_t size, SystemFlags flags, Place place) {
        packed = size << 16 | std::uint64_t{flags.bits()} << 8 | place.bits();
    }
    void set_flags(SystemFlags flags) { set(size(), flags, place()); }
    void set_place(Place place) { set(size(), flags(), place); }
    bool name_is_stale() const { return task == 0 && Place::wanted(flags(), place()) != place(); }

    std::string_view view() const { return {reinterpret_cast<const char*>(this), sizeof *this}; }
    // All zero when the bytes are not a record: message 0 does not exist.
    static MessageRecord decode(std::string_view bytes);
    MessageInfo info(std::uint32_t uid) const;
};
static_assert(sizeof(MessageRecord) == 72);

// A message's file in one mailbox: all that its name is made of. See maildir.h.
struct FileName {
    std::uint32_t mailbox = 0;
    std::uint32_t uid = 0;
    std::uint64_t message = 0;
    std::int64_t date = 0;
    std::uint64_t size = 0;
    Place place;
};
FileName file_name_of(std::uint32_t mailbox, std::uint32_t uid, const MessageRecord& record);

// Something to be done with files. Tasks are done in the order of their numbers.
struct Task {
    enum class Kind : std::uint8_t {
        link = 1,    // COPY: from_* gets one more name, `file`
        move = 2,    // MOVE: from_* becomes `file`
        unlink = 3,  // EXPUNGE: `file` goes
        adopt = 4,   // a foreign file at `path` becomes `file`
        settle_folder =
            5,      // the mailbox's folder takes the name it should have, complete with cur, new and tmp
        purge = 6,  // a deleted mailbox's messages go
        remove_folder = 7,  // a deleted mailbox's empty folder goes
    };
    Kind kind = Kind::link;
    FileName file;
    std::uint32_t from_mailbox = 0;
    std::uint32_t from_uid = 0;
    Place from_place;
    std::uint64_t after = 0;      // the source's own task, when it was still on its way itself
    bool last_reference = false;  // unlink: no other mailbox has the message, its fetch cache goes too
    std::string path;  // adopt: the foreign file, below mail/; settle_folder: the folder it had before
    // unlink: when it was expunged, and as what, for those who want it back. Tasks of older programs lack it:
    // 0.
    std::int64_t at = 0;  // seconds
    SystemFlags flags;
    std::array<std::uint64_t, 2> keywords{};
    bool can_be_kept() const { return kind == Kind::unlink && last_reference && at > 0; }

    FileName source() const;
    std::string encode() const;
    static Outcome<Task> decode(std::string_view bytes);
};

// What `threads` holds.
struct ThreadEntry {
    std::uint64_t thread = 0;
    std::uint32_t subject = 0;
    std::string encode() const;
    static ThreadEntry decode(std::string_view bytes);
};
inline constexpr std::uint64_t kMaxThreadEntries = 4'000'000;  // beyond it new ids are no longer remembered

namespace key {
inline constexpr std::string_view kFormatKey = "format";
inline constexpr std::string_view kAccountKey = "account";
inline constexpr std::string_view kIdKey = "id";  // absent in indexes of older programs
inline constexpr std::string_view kKeywordsKey = "keywords";
inline kv::Key mailbox(std::uint32_t id) {
    kv::Key key;
    key.u32(id);
    return key;
}
inline kv::Key message(std::uint32_t mailbox, std::uint32_t uid) {
    kv::Key key;
    key.u32(mailbox).u32(uid);
    return key;
}
inline kv::Key number(std::uint64_t n) {
    kv::Key key;
    key.u64(n);
    return key;
}
inline kv::Key modseq(std::uint32_t mailbox, std::uint64_t modseq) {
    kv::Key key;
    key.u32(mailbox).u64(modseq);
    return key;
}
inline kv::Key acl(std::uint32_t mailbox, AccountId who, bool negative) {
    kv::Key key;
    key.u32(mailbox).u32(who.value).u8(negative ? 1 : 0);
    return key;
}
inline kv::Key grant(AccountId who, std::uint32_t mailbox) {
    kv::Key key;
    key.u32(who.value).u32(mailbox);
    return key;
}
inline kv::Key entry(std::uint32_t mailbox, std::string_view name) {
    kv::Key key;
    key.u32(mailbox).text(name);
    return key;
}
}  // namespace key

// What `acl` holds.
std::string encode_rights(Rights rights);
Rights decode_rights(std::string_view bytes);  // none when it is no such record

// An annotation, or the trace of one that was removed.
struct AnnotationRecord {
    std::uint64_t modseq = 0;
    bool removed = false;
    std::string_view value;

    std::string encode() const;
    // The value is a view into `bytes`.
    static Outcome<AnnotationRecord> decode(std::string_view bytes);
};

std::string encode_u32(std::uint32_t n);
std::uint32_t decode_u32(std::string_view bytes);  // 0 when it is none

// The record under "format", checked: Fault::newer_format, Fault::damaged, or whether the account exists at
// all.
Outcome<bool> check_format(const kv::Transaction& transaction, const Databases& databases);

}  // namespace mailstead::store
