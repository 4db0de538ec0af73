// The receiving side of SMTP (RFC 5321) as a state machine. Pure: no I/O, no clock. One owner; not
// thread-safe.
//
// Each function returns the next thing to do; when it is done, the function named at the action in actions.h
// is called with the outcome, or on_failure() in its place. Replies pile up in `replies()`: whoever drives
// the core sends them before it waits for the client (not before: replies to a pipelined group leave
// together, RFC 2920, 3.2), and clears the string.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "smtpd/core/actions.h"
#include "smtpd/core/profile.h"
#include "smtpd/core/transaction.h"

namespace mailstead::smtpd {

// How far a session has come.
enum class Phase : std::uint8_t {
    opened = 1,      // not greeted yet, or TLS has just begun
    greeted = 2,     // between messages
    mail = 4,        // MAIL was accepted, no recipient yet
    recipients = 8,  // at least one recipient
    chunks = 16,     // BDAT has begun
};

struct CommandRow;

class ServerCore {
public:
    // `profile` must outlive the core. `session_id` begins the ids of the session's messages. `tls` is set
    // when the connection began with TLS.
    ServerCore(const Profile& profile, std::string session_id, std::optional<TlsReady> tls);

    Action start();
    Action on_line(const Line& line);
    Action on_tls(TlsReady ready);
    Action on_auth(AuthAnswer answer);
    Action on_sender(SenderVerdict verdict);
    Action on_recipient(RecipientVerdict verdict);
    Action on_room(Room room);
    Action on_body(const BodyOutcome& outcome);
    Action on_chunk(const BodyOutcome& outcome);
    // The final reply to the message, whatever it is; 2xx means that it is durable.
    Action on_delivered(const smtp::Reply& reply);
    // Nothing to report: after AuthStep cancel, DropBody and Pause.
    Action resume();
    // A timeout, a broken connection or a shutdown, whatever was asked for.
    Action on_failure(Failure failure);

    // The login that the session had is revoked, or the administrator ends it: `why` is a sentence.
    Action on_revoked(std::string_view why);

    std::string& replies() { return replies_; }
    const Transaction& transaction() const { return transaction_; }
    const std::optional<Greeting>& greeting() const { return greeting_; }
    const std::optional<Identity>& identity() const { return identity_; }
    bool tls() const { return tls_.has_value(); }
    Phase phase() const { return phase_; }
    // Whether the client is in the middle of something that a shutdown should wait for a little.
    bool busy() const { return phase_ != Phase::opened && phase_ != Phase::greeted; }

private:
    friend const CommandRow& row_of(smtp::Verb verb);

    // table.cpp: whether the command may be said now.
    Action run(smtp::Verb verb, std::string_view arguments);
    Action out_of_sequence(smtp::Verb verb);

    // hello.cpp
    Action helo(std::string_view arguments);
    Action ehlo(std::string_view arguments);
    Action greet(std::string_view arguments, bool extended);
    void announce();
    Action starttls(std::string_view arguments);
    // mail.cpp
    Action mail(std::string_view arguments);
    std::optional<Action> refuse_mail(const smtp::Mail& mail);
    Action accept_sender();
    // rcpt.cpp
    Action rcpt(std::string_view arguments);
    Action accept_recipient(RecipientVerdict verdict);
    Action refuse_recipient(int code, smtp::EnhancedCode enhanced, std::string_view text);
    // data.cpp
    Action data(std::string_view arguments);
    Action bdat(std::string_view arguments);
    Action read_chunk(bool keep);
    Action refuse_body(const BodyOutcome& outcome);
    // auth.cpp
    Action auth(std::string_view arguments);
    bool offers_mechanism(std::string_view mechanism) const;
    Action begin_auth(std::string mechanism, std::optional<std::string> initial);
    Action auth_line(const Line& line);
    Action log_in();
    Action auth_refused(AuthRefusal why);
    // misc.cpp
    Action rset(std::string_view arguments);
    Action noop(std::string_view arguments);
    Action vrfy(std::string_view arguments);
    Action expn(std::string_view arguments);
    Action help(std::string_view arguments);
    Action quit(std::string_view arguments);

    // server_core.cpp
    void say(int code, smtp::EnhancedCode enhanced, std::string_view text);
    void say(int code, std::string_view text);
    Action next_command() const;
    // The reply was said; it counts as an error of the client.
    Action refuse(int code, smtp::EnhancedCode enhanced, std::string_view text);
    Action refuse(const smtp::CommandError& error, smtp::EnhancedCode bad_address);
    Action give_up(int code, smtp::EnhancedCode enhanced, std::string_view text);
    // Ends the transaction, and with it the body.
    Action end_transaction();
    std::size_t line_limit() const;

    const Profile& profile_;
    std::string session_id_;
    std::string replies_;
    std::optional<TlsReady> tls_;
    std::optional<Greeting> greeting_;
    std::optional<Identity> identity_;
    std::string pending_mechanism_;  // not empty: a login is going on
    // The proof holds, but the client has not answered our last word yet.
    std::optional<AuthAccepted> pending_login_;
    Transaction transaction_;
    std::optional<smtp::Rcpt> pending_rcpt_;
    smtp::Bdat chunk_;
    // What to say once the octets of a chunk that is not wanted have gone by.
    std::optional<smtp::Reply> chunk_reply_;
    Phase phase_ = Phase::opened;
    bool body_open_ = false;
    bool using_bdat_ = false;
    std::uint32_t transactions_ = 0;
    std::uint32_t errors_ = 0;
    std::uint32_t refused_recipients_ = 0;
    std::uint32_t refused_recipients_in_message_ = 0;
    std::uint32_t failed_logins_ = 0;
    std::uint32_t idle_commands_ = 0;
};

}  // namespace mailstead::smtpd
