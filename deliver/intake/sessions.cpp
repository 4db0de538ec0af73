// Sessions: the daemons' polls, and what the administrator asks.
#include "common/ipc/session_messages.h"
#include "deliver/intake/intake.h"

namespace mailstead::deliver {
namespace {

ipc::Message malformed() {
    return ipc::refuse("malformed request");
}

}  // namespace

net::Task<ipc::Message> Intake::serve_sessions(ipc::Message request, std::uint64_t connection) {
    if (request.type == ipc::MessageType::session_poll) {
        const auto poll = ipc::SessionPoll::decode(request.payload);
        if (!poll) co_return malformed();
        const ipc::SessionOrders orders = co_await parts_.sessions->poll(*poll, connection);
        co_return ipc::make_message(orders);
    }
    if (request.type == ipc::MessageType::session_check) {
        auto check = ipc::SessionCheck::decode(request.payload);
        if (!check) co_return malformed();
        const ipc::SessionVerdicts verdicts = co_await parts_.sessions->check(*std::move(check));
        co_return ipc::make_message(verdicts);
    }
    auto result = ipc::SessionResult::decode(request.payload);
    if (!result) co_return malformed();
    parts_.sessions->take_result(*std::move(result), connection);
    co_return ipc::make_message(ipc::Done{});
}

net::Task<ipc::Message> Intake::serve_admin(ipc::Message request) {
    if (request.type == ipc::MessageType::account_changed) {
        const auto changed = ipc::AccountChanged::decode(request.payload);
        if (!changed) co_return malformed();
        const ipc::SessionsEnded ended = co_await parts_.sessions->account_changed(changed->account);
        co_return ipc::make_message(ended);
    }
    if (request.type == ipc::MessageType::who_question) {
        const auto question = ipc::WhoQuestion::decode(request.payload);
        if (!question) co_return malformed();
        const ipc::WhoAnswer answer = co_await parts_.sessions->who(question->account);
        co_return ipc::make_message(answer);
    }
    auto kick = ipc::KickCommand::decode(request.payload);
    if (!kick) co_return malformed();
    const ipc::SessionsEnded ended = co_await parts_.sessions->kick(std::move(kick->which));
    co_return ipc::make_message(ended);
}

}  // namespace mailstead::deliver
