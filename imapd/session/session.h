// A session after login: reads commands, lets imapd/commands execute them, keeps the client's view of its
// mailbox up to date.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/ipc/session_book.h"
#include "common/net/last_call.h"
#include "imapd/proto/command.h"
#include "imapd/session/backend.h"
#include "imapd/session/capabilities.h"
#include "imapd/session/connection.h"
#include "imapd/session/place.h"
#include "imapd/session/progress.h"
#include "imapd/session/selected.h"
#include "imapd/session/shared_watches.h"
#include "imapd/session/watch.h"

namespace mailstead::imapd {

// The tagged answer of a command.
struct Reply {
    proto::Condition condition = proto::Condition::ok;
    std::string code;  // without brackets; empty for none
    std::string text;
};
Reply ok(std::string text, std::string code = {});
Reply no(std::string text, std::string code = {});
Reply bad(std::string text);
// What a failure of the store means to the client (RFC 5530).
Reply reply_to(const store::Failure& failure);
// Why the user may not do what needs `right`: NOPERM (RFC 5530, 3), or the answer for a mailbox that does not
// exist when he may not know of it. nullopt: he may.
std::optional<Reply> refusal(const Place& place, store::Right right);
// The same for messages to be put into it: TRYCREATE where CREATE could help (RFC 9051, 6.3.12).
std::optional<Reply> refusal_to_insert(const Place& place);

// The messages of an APPEND under way: their bytes have come or are coming.
struct Intake {
    std::string tag;
    struct File {
        FileDescriptor descriptor;
        std::uint64_t size = 0;
    };
    std::vector<File> files;
    std::size_t parts = 0;         // of CATENATE: how many of the last message's are in files.back()
    bool accepting = false;        // the literal in hand goes into files.back()
    std::optional<Reply> refusal;  // decided before all has come
};

// All that commands work on. One thread.
class Session final : private Listening, private ipc::LiveSession {
public:
    // `connection` and `backend` outlive it.
    Session(Connection& connection, Backend& backend, std::string session_id, std::string tag_of_login,
            AccountId account, std::string login, Capabilities capabilities, Proof proof = {});
    ~Session() override;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Answers the login and serves until the session is over. True: the client wants to log in anew (RFC
    // 8437).
    net::Task<bool> run();

    // ---- for commands
    std::string& out() { return connection.out(); }
    // The user's own account. For the selected mailbox: selected->snapshot(), for any other: locate().
    store::Outcome<store::Snapshot> own_snapshot() const { return reader_->snapshot(); }
    // Where the mailbox is that a command names: among one's own or another account's. The one way from a
    // name to a mailbox. Fault::non_existent when nobody shares anything under that name.
    net::Task<store::Outcome<Place>> locate(MailboxName name);
    // Other accounts' mailboxes that the user may list, as the client calls them, in no order.
    struct Foreign {
        AccountId owner;
        store::MailboxInfo mailbox;  // with the client's name for it
        store::Rights rights;
        store::AccountReader reader;  // of the owner's account
    };
    net::Task<store::Outcome<std::vector<Foreign>>> foreign_mailboxes();
    // Sends a change of `owner`'s mailboxes to the writer. Whoever calls has looked at the rights.
    net::Task<store::Outcome<store::ChangeResult>> apply(AccountId owner, store::Action action);
    net::Task<store::Outcome<store::ChangeResult>> apply(AccountId owner, store::Action action,
                                                         std::vector<FileDescriptor> files);
    // Sends what has been answered when it is much; false when the client is gone.
    net::Task<bool> flush_if_full();
    // The untagged answers that are due. False when the session is over.
    net::Task<bool> tell_updates(UpdateOptions options);
    // UIDs that a command's set names, of those that the client knows. Sequence numbers beyond the last
    // message are an error (RFC 9051, 9: seq-number).
    Parsed<store::UidSet> resolve(const proto::SequenceSet& set, bool uid) const;
    // From the first command that shows that the client knows of mod-sequences (RFC 7162, 3.1).
    void enable_condstore();
    void select(Selected view);
    void unselect();
    // RFC 9738, 3.1: keeps the newest of `uids`, as many as one command may work on. The response code that
    // says so, empty when all may stay.
    std::string limit(store::UidSet& uids) const;
    // RFC 9738, 3.1: says it with `code`, which limit() gave, ahead of a tagged answer that has a code of its
    // own. Empty: nothing.
    void tell_limit(const std::string& code);
    // Why a command that is whole or refused cannot be done with `messages` of them; nullopt: it can.
    std::optional<Reply> refusal_of_many(std::uint64_t messages, std::uint32_t most) const;
    Capabilities::Limits limits() const;
    // RFC 9585: says how far a command that takes long has come, now and then. False when the client is gone.
    net::Task<bool> tell_progress(std::uint64_t done, std::uint64_t goal);
    // The untagged answers that a NOTIFY asks for (RFC 5465). False when the session is over.
    net::Task<bool> tell_watched();
    // For mailboxes of `owner`.
    WatchContext watch_context(AccountId owner) const;
    // For a NOTIFY, watching nothing yet.
    std::unique_ptr<SharedWatches> new_shared_watches();
    // Names that the user is subscribed to.
    Subscribed subscribed() const;

    Connection& connection;
    Backend& backend;
    const AccountId account;
    const std::string login;
    std::string client;  // as it called itself, see client_name.h
    Capabilities capabilities;
    Enabled enabled;
    KeywordNames keywords;
    std::optional<Selected> selected;  // set by select() and unselect() alone
    Intake intake;
    std::optional<Watch> watch;                     // since the first NOTIFY
    std::unique_ptr<SharedWatches> shared_watches;  // with it
    bool logging_out = false;
    bool unauthenticating = false;
    // Compression that begins behind the tagged answer.
    std::unique_ptr<Compression> compression;
    // A change of flags that the command in hand made itself, not to be told again.
    OwnChange own_change;
    ModSeq metadata_told;  // changes of annotations up to here were told, or are nobody's business
    ModSeq own_metadata;   // a change of annotations that the session made itself
    // Waits for DONE, telling what happens meanwhile (RFC 9051, 6.3.13).
    net::Task<Reply> idle();

private:
    ipc::SessionFacts facts() const override;
    void end(ipc::EndReason reason) override;
    void on_change() override;
    void on_change_in(AccountId owner, std::span<const MailboxId> mailboxes) override;

    net::Task<bool> begin();
    bool is_full() const;
    net::Task<bool> attend();
    net::Task<void> finish();
    net::Task<store::Outcome<bool>> tell_shared(bool names_changed);
    net::Task<void> tell_foreign_subscriptions();
    net::Task<bool> fetch_arrivals(store::UidSet uids);
    UpdateOptions as_watched(UpdateOptions options) const;
    void note_own(AccountId owner, const std::optional<store::Action>& action,
                  const store::ChangeResult& result);
    net::Task<bool> on_command();
    net::Task<bool> execute(proto::Command command);
    net::Task<bool> on_literal();
    net::Task<bool> on_rejected();
    void on_chunk();
    net::Task<std::optional<Reply>> refuse_message(const proto::MessageLiteral& arriving);
    std::optional<Reply> refuse_replace(const proto::Replace& replace) const;
    void tell_metadata();
    store::Outcome<Place> find_place(AccountId owner, store::AccountReader reader, MailboxName name) const;
    bool renew_rights();
    void answer(std::string_view tag, const Reply& reply);
    bool count_bad(std::string_view tag, const Reply& reply);
    bool bye(std::string_view text, std::string_view code = {});
    bool bye_for(const net::IoError& error);

    std::string session_id_;
    std::string tag_of_login_;
    const Proof proof_;
    const Time since_;
    Time last_time_;
    proto::Verb last_verb_ = proto::Verb::login;
    net::LastCall last_call_;
    std::optional<ipc::EndReason> ended_;  // by deliver's order
    std::optional<store::AccountReader> reader_;
    bool joined_ = false;
    bool waiting_ = false;        // in IDLE or under NOTIFY, and to be woken by changes
    store::UidSet own_arrivals_;  // in the selected mailbox, by this session
    Progress progress_;
    unsigned bad_commands_ = 0;
};

}  // namespace mailstead::imapd
