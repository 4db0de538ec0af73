#include "smtpd/session/deliver_link.h"

namespace mailstead::smtpd {

net::Task<Result<ipc::DeliverAnswer>> IpcDeliverLink::deliver(ipc::DeliverMessage message,
                                                              FileDescriptor file) {
    ipc::Descriptors descriptors;
    descriptors.push_back(std::move(file));
    auto answer = co_await ipc::ask(client_, message, std::move(descriptors), kDeliverTimeout);
    co_return answer;
}

net::Task<Result<ipc::AuthAnswer>> IpcDeliverLink::authenticate(ipc::AuthStep step) {
    ipc::Descriptors none;
    auto answer = co_await ipc::ask(client_, step, std::move(none), kAuthTimeout);
    co_return answer;
}

net::Task<Result<bool>> IpcDeliverLink::over_quota(AccountId account, std::uint64_t size) {
    ipc::QuotaQuestion question{.account = account, .size = size};
    ipc::Descriptors none;
    auto answer = co_await ipc::ask(client_, question, std::move(none), kQuotaTimeout);
    if (!answer) co_return std::move(answer).error();
    co_return answer->over;
}

void IpcDeliverLink::cancel_authentication(ipc::AuthCancel cancel) {
    ipc::send(client_, cancel);
}

void IpcDeliverLink::record(ipc::LedgerLine line) {
    ipc::send(client_, line);
}

}  // namespace mailstead::smtpd
