// One SMTP connection: performs the actions of the protocol core. The only part that waits.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "common/net/last_call.h"
#include "common/net/stream.h"
#include "smtpd/core/line_reader.h"
#include "smtpd/core/server_core.h"
#include "smtpd/policy/header.h"
#include "smtpd/session/environment.h"
#include "smtpd/session/intake.h"

namespace mailstead::smtpd {

enum class TlsStart : std::uint8_t { at_once, by_command };

class Session final : private ipc::LiveSession {
public:
    // `worker` is of the stream's thread; it and `profile` outlive the session.
    Session(Worker& worker, const Profile& profile, net::Stream stream);
    ~Session() override;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Until the connection is closed.
    net::Task<void> run(TlsStart tls);

private:
    using Clock = std::chrono::steady_clock;

    // What needs no waiting; nullopt: the action has to be waited for.
    std::optional<Action> perform_now(const Action& action);
    net::Task<Action> perform(Action action);
    net::Task<Action> read_line(ReadLine action);
    net::Task<Action> read_body(ReadBody action);
    net::Task<Action> read_chunk(ReadChunk action);
    net::Task<Action> start_tls(StartTls action);
    net::Task<Action> authenticate(AuthStep step);
    // The client went while its login was checked.
    void hung_up();
    ipc::SessionFacts facts() const override;
    void end(ipc::EndReason reason) override;
    void note_command(std::string_view line);
    // What the core does about it; a read that failed because the session is being ended is no failure.
    Action on_failure(Failure failure);
    net::Task<Action> ask_quota();
    net::Task<Action> deliver();
    net::Task<Action> pause(Pause action);
    // More bytes from the client, the replies sent before. nullopt: there are some.
    net::Task<std::optional<Failure>> receive(Clock::time_point deadline);
    net::Task<bool> flush();
    net::Task<bool> begin_tls(Milliseconds timeout);

    std::optional<Action> take_line(const ReadLine& action);
    std::optional<Action> take_body(const ReadBody& action);
    std::optional<Action> take_chunk(const ReadChunk& action);
    Action open_body(const OpenBody& action);
    std::optional<Action> resolve(const ResolveRecipient& action);
    Action answer_recipient(RecipientVerdict verdict);
    bool fits_envelope(const RecipientVerdict& verdict);
    Action check_sender(const CheckSender& action);
    TlsReady tls_ready();
    BodyOutcome body_outcome() const;

    // hand_off.cpp
    net::Task<smtp::Reply> hand_off();
    std::optional<smtp::Reply> check_submission(const HeaderFacts& facts) const;
    std::string front_fields(const HeaderFacts& facts, const std::optional<Findings>& findings,
                             Time now) const;
    ipc::DeliverMessage delivery(const std::optional<Findings>& findings, bool junk, std::uint64_t size,
                                 Time now) const;
    void note_refusal(std::string_view why, const smtp::Reply& reply, std::string_view verdict) const;

    Worker& worker_;
    const Profile& profile_;
    net::Stream stream_;
    net::ReadBuffer buffer_;
    std::string id_;
    std::string client_ip_;  // for logs
    std::optional<ServerCore> core_;
    LineReader lines_;
    std::unique_ptr<Intake> intake_;
    std::optional<RecipientVerdict> pending_recipient_;  // its quota is being asked for
    AccountId pending_account_;
    std::uint64_t conversation_ = 0;  // with deliver, of a login that is going on
    std::uint64_t attempt_ = 0;       // the step of it in hand
    bool hung_up_ = false;
    bool enlisted_ = false;  // since somebody logged in
    Time since_{};           // then
    Time last_time_{};
    std::string last_command_;
    net::LastCall last_call_;
    std::optional<ipc::EndReason> ended_;  // by deliver's order
    // Of the envelope as it goes to deliver, which bounds it.
    std::size_t envelope_octets_ = 0;
    bool broken_ = false;     // nothing can be said any more
    std::uint64_t skip_ = 0;  // octets of a chunk that is not kept
    bool in_chunk_ = false;
    Clock::time_point body_deadline_{};
    ipc::ChannelBindings bindings_;
    net::TlsFacts tls_facts_;
};

}  // namespace mailstead::smtpd
