// DKIM (RFC 6376, with RFC 8301 and RFC 8463): verifying and signing. Pure: bytes in, results out; keys are
// asked for as values (inquiry.h). Bodies stream through: nothing of a body is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/mailauth/dkim_key.h"
#include "common/mailauth/inquiry.h"

namespace mailstead::mailauth {

// RFC 8601, 2.7.1
enum class DkimVerdict : std::uint8_t { pass, fail, neutral, policy, temperror, permerror };
std::string_view to_string(DkimVerdict verdict);

struct DkimResult {
    DkimVerdict verdict = DkimVerdict::permerror;
    std::string reason;     // one line for people; empty for a pass without remarks
    std::string domain;     // d=, lower case; empty if the field could not be read so far
    std::string selector;   // s=
    std::string identity;   // i=, `@domain` if absent
    std::string algorithm;  // a= as written
    std::string
        signature_start;  // the first characters of b=, which tell signatures of one domain apart (RFC 6008)
    unsigned key_bits = 0;  // 0: no key was read
    bool testing = false;   // the key says t=y
};

struct DkimVerifyOptions {
    std::size_t max_signatures = 8;  // further ones are not looked at
    unsigned min_rsa_bits = 1024;    // RFC 8301, 3.2
    // A body longer than l= can be changed by anyone who forwards it (RFC 6376, 8.2): `policy` unless
    // accepted here.
    bool accept_unsigned_tail = false;
    Seconds clock_skew{3600};  // how far t= may lie in the future
};

// One message. Calls in this order: headers, body (any number), end_of_body. The questions are there after
// headers(), so that keys can be fetched while the body arrives; answer() may come at any time after that.
// results() wants both.
class DkimVerifier {
public:
    explicit DkimVerifier(Time now, DkimVerifyOptions options = {});
    ~DkimVerifier();
    DkimVerifier(DkimVerifier&&) noexcept;
    DkimVerifier& operator=(DkimVerifier&&) noexcept;

    // All header fields, lines ended by CRLF (a bare LF is taken too), with or without the empty line. The
    // view may go afterwards.
    void headers(std::string_view block);
    // The body as it arrives, cut anywhere; CRLF.
    void body(std::string_view chunk);
    void end_of_body();

    // The TXT records of the keys, one question for each distinct key; one round.
    const Questions& questions() const;
    void answer(Answers answers);

    // One result for each signature, in the order of the fields; empty for an unsigned message. If the body
    // did not end or the keys did not come, what needs them is temperror.
    std::vector<DkimResult> results() const;

private:
    class Machine;
    std::unique_ptr<Machine> machine_;
};

enum class Canonicalization : std::uint8_t { simple, relaxed };

struct DkimSignOptions {
    std::string domain;  // d=, A-labels
    Canonicalization header = Canonicalization::relaxed;
    Canonicalization body = Canonicalization::relaxed;
    std::optional<Seconds> lifetime;  // x= this long after t=; none by default
};
struct DkimSelector {
    std::string name;                    // s=
    std::shared_ptr<const DkimKey> key;  // parsed once, used for all messages and by any thread
};

// Signs one message with all of the keys given (one hash of the body serves all). headers, body (any number),
// finish. Signed: From, To, Cc, Subject, Date, Message-ID, Reply-To, Sender, In-Reply-To, References,
// MIME-Version, Content-*, List-* as far as present; those that a reader sees are named once more than they
// occur, so that none can be added (RFC 6376, 8.15).
class DkimSigner {
public:
    DkimSigner(DkimSignOptions options, std::vector<DkimSelector> selectors, Time now);
    ~DkimSigner();
    DkimSigner(DkimSigner&&) noexcept;
    DkimSigner& operator=(DkimSigner&&) noexcept;

    // As DkimVerifier::headers.
    void headers(std::string_view block);
    void body(std::string_view chunk);
    // The DKIM-Signature fields, one for each key, each folded and ended by CRLF: to be put in front of the
    // header. Fails if there is no From field or OpenSSL fails.
    Result<std::string> finish();

private:
    class Machine;
    std::unique_ptr<Machine> machine_;
};

}  // namespace mailstead::mailauth
