// What smtpd asks of deliver. Sessions see this; the daemon has it over the socket, tests have one that
// answers at once.
#pragma once

#include "common/ipc/channel.h"
#include "common/ipc/messages.h"
#include "common/net/task.h"

namespace mailstead::smtpd {

// Belongs to one io thread. Errors mean that deliver is away or did not answer in time.
class DeliverLink {
public:
    virtual ~DeliverLink() = default;
    // `file`: the final message, from offset 0.
    virtual net::Task<Result<ipc::DeliverAnswer>> deliver(ipc::DeliverMessage message,
                                                          FileDescriptor file) = 0;
    virtual net::Task<Result<ipc::AuthAnswer>> authenticate(ipc::AuthStep step) = 0;
    virtual net::Task<Result<bool>> over_quota(AccountId account, std::uint64_t size) = 0;
    // One way.
    virtual void cancel_authentication(ipc::AuthCancel cancel) = 0;
    virtual void record(ipc::LedgerLine line) = 0;
};

class IpcDeliverLink final : public DeliverLink {
public:
    // RFC 5321, 4.5.3.2.6: the client waits ten minutes for the answer; deliver needs milliseconds, or
    // something is wrong.
    static constexpr net::Timeout kDeliverTimeout{120'000};
    static constexpr net::Timeout kAuthTimeout{30'000};
    static constexpr net::Timeout kQuotaTimeout{5'000};

    IpcDeliverLink(boost::asio::io_context& context, ipc::ClientOptions options)
        : client_(context, std::move(options)) {}

    net::Task<Result<ipc::DeliverAnswer>> deliver(ipc::DeliverMessage message, FileDescriptor file) override;
    net::Task<Result<ipc::AuthAnswer>> authenticate(ipc::AuthStep step) override;
    net::Task<Result<bool>> over_quota(AccountId account, std::uint64_t size) override;
    void cancel_authentication(ipc::AuthCancel cancel) override;
    void record(ipc::LedgerLine line) override;
    ipc::Client& client() { return client_; }

private:
    ipc::Client client_;
};

}  // namespace mailstead::smtpd
