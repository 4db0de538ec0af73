// A session after login: reads commands, lets imapd/commands execute them, keeps the client's view of its
// mailbox up to date.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imapd/proto/command.h"
#include "imapd/session/backend.h"
#include "imapd/session/capabilities.h"
#include "imapd/session/connection.h"
#include "imapd/session/selected.h"

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

// The messages of an APPEND under way: their bytes have come or are coming.
struct Intake {
    std::string tag;
    struct File {
        FileDescriptor descriptor;
        std::uint64_t size = 0;
    };
    std::vector<File> files;
    bool accepting = false;        // the literal in hand goes into files.back()
    std::optional<Reply> refusal;  // decided before all has come
};

// All that commands work on. One thread.
class Session final : private Listening {
public:
    // `connection` and `backend` outlive it.
    Session(Connection& connection, Backend& backend, std::string session_id, std::string tag_of_login,
            AccountId account, std::string login, Capabilities capabilities);
    ~Session() override;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Answers the login and serves until the session is over.
    net::Task<void> run();

    // ---- for commands
    std::string& out() { return connection.out(); }
    store::Outcome<store::Snapshot> snapshot() const { return reader_->snapshot(); }
    // For snapshots on other threads.
    const store::AccountReader& reader() const { return *reader_; }
    net::Task<store::Outcome<store::ChangeResult>> apply(store::Action action);
    net::Task<store::Outcome<store::ChangeResult>> apply(store::Action action,
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
    void unselect();

    Connection& connection;
    Backend& backend;
    const AccountId account;
    const std::string login;
    Capabilities capabilities;
    Enabled enabled;
    KeywordNames keywords;
    std::optional<Selected> selected;
    Intake intake;
    bool logging_out = false;
    // A change of flags that the command in hand made itself, not to be told again.
    OwnChange own_change;
    // Waits for DONE, telling what happens meanwhile (RFC 9051, 6.3.13).
    net::Task<Reply> idle();

private:
    void on_change() override;

    net::Task<bool> begin();
    net::Task<bool> on_command();
    net::Task<bool> execute(proto::Command command);
    net::Task<bool> on_literal();
    net::Task<bool> on_rejected();
    void on_chunk();
    std::optional<Reply> refuse_message(const proto::Append& append);
    void answer(std::string_view tag, const Reply& reply);
    bool count_bad(std::string_view tag, const Reply& reply);
    bool bye(std::string_view text);

    std::string session_id_;
    std::string tag_of_login_;
    std::optional<store::AccountReader> reader_;
    bool joined_ = false;
    bool waiting_ = false;  // in IDLE, and to be woken by changes
    unsigned bad_commands_ = 0;
};

}  // namespace mailstead::imapd
