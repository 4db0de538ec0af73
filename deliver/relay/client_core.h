// The sending side of RFC 5321, 3.3, as a state machine without I/O: one connection, any number of
// transactions. One owner.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/address/address.h"
#include "common/sasl/client.h"
#include "common/smtp/capabilities.h"
#include "common/smtp/command.h"
#include "common/smtp/reply.h"

namespace mailstead::deliver {

enum class TlsUse : std::uint8_t {
    never,          // an opportunistic handshake has failed: this time without
    opportunistic,  // STARTTLS when offered (RFC 3207)
    required,       // without TLS nothing is sent
    implicit,       // the connection is under TLS before the greeting (RFC 8314, 3.3)
};

struct ClientOptions {
    std::string helo_name;
    TlsUse tls = TlsUse::opportunistic;
    // Logs in before the first transaction; nullptr: no login. Required then: a server without a common
    // mechanism gets no mail. Asked once, after TLS, with the mechanisms that the server offers.
    std::function<std::unique_ptr<sasl::ClientExchange>(const std::vector<std::string>& offered)> login = {};
};

// What a transaction sends.
struct Outgoing {
    ReversePath from;
    struct To {
        Address address;
        std::optional<smtp::Notify> notify;
        std::optional<smtp::OriginalRecipient> orcpt;
    };
    std::vector<To> to;           // at least one
    std::uint64_t size = 0;       // octets, for SIZE
    bool eight_bit = false;       // the message has bytes above 127
    bool needs_smtputf8 = false;  // an address or the header is beyond ASCII
    std::optional<smtp::DsnReturn> ret;
    std::optional<std::string> envid;
};

enum class Verdict : std::uint8_t { delivered, transient, permanent };
struct RecipientVerdict {
    Verdict verdict = Verdict::transient;
    smtp::EnhancedCode status;
    std::string text;  // the server's own words with their code, or ours
};

// ---- what the driver is asked to do
struct SendAndRead {  // writes `bytes` (maybe none), then reads one reply: on_reply
    std::string bytes;
    std::chrono::milliseconds timeout;
};
struct UpgradeTls {};  // handshake as client: on_tls
struct SendMessage {   // the message, dots stuffed, and the final dot; then one reply: on_reply
    std::chrono::milliseconds timeout;
};
struct Idle {};   // may start() a transaction, or quit(). Verdicts of the last one are in verdicts()
struct Close {};  // close the connection. The same for verdicts
using ClientAction = std::variant<SendAndRead, UpgradeTls, SendMessage, Idle, Close>;

class ClientCore {
public:
    explicit ClientCore(ClientOptions options);

    // The connection is there.
    ClientAction connected();
    ClientAction on_reply(const smtp::Reply& reply);
    ClientAction on_tls();
    // The connection broke, timed out, or its TLS handshake failed; `why` is for the sender: `timed out
    // waiting for the greeting`.
    ClientAction on_failure(std::string why);

    // Only when idle.
    ClientAction start(Outgoing message);
    ClientAction quit();

    // One for each recipient of the last transaction; before the first, or when none could start, what kept
    // the connection from becoming ready stands in refusal().
    const std::vector<RecipientVerdict>& verdicts() const { return verdicts_; }
    const std::optional<RecipientVerdict>& refusal() const { return refusal_; }
    // Whether the STARTTLS handshake was what failed: worth one more try with TlsUse::never.
    bool tls_failed() const { return tls_failed_; }
    const smtp::Capabilities& capabilities() const { return capabilities_; }

private:
    enum class State : std::uint8_t {
        greeting,
        ehlo,
        helo,
        starttls,
        handshake,
        auth,
        idle,
        mail,
        rcpt,
        data,
        message,
        reset,
        quitting,
        closed
    };
    ClientAction on_greeting(const smtp::Reply& reply);
    ClientAction on_hello(const smtp::Reply& reply);
    ClientAction ready_or_upgrade();
    ClientAction say_hello();
    ClientAction log_in();
    ClientAction on_auth(const smtp::Reply& reply);
    ClientAction on_mail(const smtp::Reply& reply);
    ClientAction on_rcpt(const smtp::Reply& reply);
    ClientAction after_recipients();
    ClientAction on_data(const smtp::Reply& reply);
    ClientAction on_message(const smtp::Reply& reply);
    ClientAction refuse(RecipientVerdict verdict);
    ClientAction give_up();
    ClientAction reset();
    std::optional<RecipientVerdict> unsendable() const;
    void settle_open(const RecipientVerdict& verdict);
    std::string mail_command() const;
    std::string rcpt_command(std::size_t index) const;

    ClientOptions options_;
    State state_ = State::greeting;
    bool under_tls_ = false;
    bool tls_failed_ = false;
    smtp::Capabilities capabilities_;
    std::unique_ptr<sasl::ClientExchange> login_;
    Outgoing message_;
    std::vector<RecipientVerdict> verdicts_;
    std::vector<bool> settled_;
    std::size_t next_recipient_ = 0;  // whose reply comes next
    std::size_t accepted_ = 0;
    bool mail_refused_ = false;  // pipelined RCPT replies still have to be read
    std::optional<RecipientVerdict> refusal_;
};

// A verdict out of a reply that ends something.
RecipientVerdict verdict_of(const smtp::Reply& reply);

}  // namespace mailstead::deliver
