// The session's view of its mailbox, and the untagged answers that keep the client's view the same (RFC
// 9051, 5.2 and 7.5).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/address/mailbox_name.h"
#include "common/store/store.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd {

namespace commands {
struct LiveSearches;
}

// What the client switched on (RFC 5161; RFC 7162, 3.1).
struct Enabled {
    bool condstore = false;
    bool qresync = false;
    bool utf8 = false;      // UTF8=ACCEPT
    bool rev2 = false;      // IMAP4rev2
    bool uid_only = false;  // RFC 9586: no sequence numbers in either direction
    bool metadata = false;  // METADATA: the client is told of annotations that others change (RFC 5464, 4.4)

    proto::Utf8 strings() const { return utf8 || rev2 ? proto::Utf8::yes : proto::Utf8::no; }
};

// Names of the account's keywords, by bit.
using KeywordNames = std::vector<std::string>;

// Sequence numbers as the client knows them. Small whatever the size of the mailbox: runs of UIDs and a
// mod-sequence.
struct Selected {
    store::MailboxInfo info;                     // as of SELECT
    MailboxName name = MailboxName::inbox();     // as the client calls it
    AccountId account;                           // whose mailbox it is
    std::optional<store::AccountReader> reader;  // of that account; always there
    bool own = true;
    store::Rights rights = store::Rights::all();  // of the session's user; looked up anew with each command
    bool read_only = false;                       // by EXAMINE
    store::UidRuns messages;                      // what the client has been told of
    Uid next;                                     // messages from here on are new to it
    ModSeq told;                                  // flag changes up to here were told
    ModSeq expunges_told;                         // expunges up to here
    std::size_t keywords_told = 0;
    std::optional<store::UidSet> saved_result;     // "$" (RFC 9051, 6.4.4.1)
    std::shared_ptr<commands::LiveSearches> live;  // (RFC 5267, 4.3); null: none

    store::Outcome<store::Snapshot> snapshot() const { return reader->snapshot(); }
    // Flags that the client may change here.
    store::FlagScope changeable_flags() const;
    // For write_id(): see Place.
    AccountId id_scope() const { return own ? AccountId() : account; }
};

// The client's own change, which it need not be told of again: messages of `uids` at `mod_seq`.
struct OwnChange {
    store::UidSet uids;
    ModSeq mod_seq;
};

struct UpdateOptions {
    // RFC 9051, 7.5.1: not during FETCH, STORE and SEARCH, since sequence numbers would shift under the
    // client.
    bool expunges = true;
    bool arrivals = true;
    bool flags = true;
    bool expunges_are_own = false;     // the command itself expunges, which its client must hear of
    bool whatever_is_watched = false;  // although NOTIFY has not asked for it
    const OwnChange* own = nullptr;
};

// Appends `* FLAGS (...)`, and the list without "* FLAGS ".
void write_flag_list(std::string& out, const store::Flags& flags, const KeywordNames& names);
void write_available_flags(std::string& out, const KeywordNames& names);
void write_permanent_flags(std::string& out, const KeywordNames& names, store::FlagScope changeable);

// `* 3 FETCH (`, or `* 7 UIDFETCH (` where sequence numbers are not used (RFC 9586, 3.3).
void write_fetch_head(std::string& out, std::uint32_t number, Uid uid, const Enabled& enabled);

// `* 3 FETCH (UID 7 FLAGS (\Seen) MODSEQ (12))`
void write_flags_update(std::string& out, std::uint32_t number, const store::MessageInfo& message,
                        const KeywordNames& names, const Enabled& enabled);

// UIDs as a client reads them.
void write_uids(std::string& out, const store::UidSet& uids);

// Announces keywords that are new to the client: it must know them before a message shows them.
store::Outcome<void> tell_new_keywords(const store::Snapshot& snapshot, Selected& view, KeywordNames& names,
                                       std::string& out);

enum class UpdateState : std::uint8_t {
    done,  // nothing more to tell
    more,  // `out` is full enough: send it and call again
    gone   // the mailbox is no more
};

// Brings the client up to date with the snapshot, about kFlushAt bytes at a time. `resume` is 0 at first and
// keeps the place.
class Updater {
public:
    Updater(Selected& view, const Enabled& enabled, KeywordNames& names, UpdateOptions options)
        : view_(view), enabled_(enabled), names_(names), options_(options) {}

    store::Outcome<UpdateState> step(const store::Snapshot& snapshot, std::string& out);
    // The messages that EXISTS has told of.
    const store::UidSet& arrived() const { return arrived_; }

private:
    store::Outcome<void> tell_expunges(const store::Snapshot& snapshot, ModSeq now, std::string& out);
    store::Outcome<bool> tell_flags(const store::Snapshot& snapshot, std::string& out);
    store::Outcome<void> tell_arrivals(const store::Snapshot& snapshot, const store::MailboxInfo& info,
                                       std::string& out);

    Selected& view_;
    const Enabled& enabled_;
    KeywordNames& names_;
    UpdateOptions options_;
    store::UidSet arrived_;
    std::uint32_t after_ = 0;       // flags of messages up to this UID were told
    std::optional<ModSeq> target_;  // what `told` becomes at the end
};

// The messages that the client has just learned are gone.
void write_expunges(std::string& out, Selected& view, const store::UidSet& gone, bool vanished);

}  // namespace mailstead::imapd
