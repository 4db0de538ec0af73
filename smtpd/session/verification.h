// SPF, the client's name, DKIM and DMARC of one message, looked up while its bytes arrive.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "common/address/address.h"
#include "common/base/clock.h"
#include "common/dns/resolver.h"
#include "common/net/event.h"
#include "common/net/task_group.h"
#include "smtpd/policy/verdict.h"

namespace mailstead::smtpd {

struct VerificationInput {
    dns::IpAddress client;
    std::string helo;
    ReversePath mail_from;
    std::string receiver;
    Time now{};
};

// Lookups run as tasks of `background`, which keep this object alive: whoever started it may let go of it at
// any moment. All within kTimeLimit; what the DNS has not told by then counts as a temporary failure. Belongs
// to one io thread.
class Verification : public std::enable_shared_from_this<Verification> {
public:
    static constexpr std::chrono::seconds kTimeLimit{30};

    // Both must outlive all tasks of `background`.
    Verification(dns::Resolver& resolver, net::TaskGroup& background, const VerificationInput& input);

    // Starts SPF and the lookup of the client's name.
    void start();
    // The header section, then the body in pieces, then its end. The views may go afterwards.
    void headers(std::string_view block);
    void body(std::string_view piece) { dkim_.body(piece); }
    void end_of_body() { dkim_.end_of_body(); }

    // After the end. `from` are the values of all From fields. Waits for what is still looked up.
    net::Task<Findings> finish(std::vector<std::string> from);

private:
    using Clock = std::chrono::steady_clock;
    static net::Task<void> look_up_sender(std::shared_ptr<Verification> self);
    static net::Task<void> look_up_client(std::shared_ptr<Verification> self);
    static net::Task<void> look_up_keys(std::shared_ptr<Verification> self);
    void begin() { ++running_; }
    void finished();
    template <class Machine>
    net::Task<void> drive(Machine& machine);
    net::Task<mailauth::Answers> ask(mailauth::Questions questions);

    dns::Resolver& resolver_;
    net::TaskGroup& background_;
    net::Event idle_;
    Clock::time_point deadline_;
    mailauth::SpfEvaluation spf_;
    mailauth::IprevCheck iprev_;
    mailauth::DkimVerifier dkim_;
    unsigned running_ = 0;
};

}  // namespace mailstead::smtpd
