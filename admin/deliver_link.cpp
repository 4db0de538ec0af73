#include "admin/deliver_link.h"

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "admin/output.h"
#include "common/ipc/channel.h"

namespace mailstead::admin {
namespace {

constexpr std::size_t kLargestAnswer = std::size_t{16} << 20;  // of `who`
constexpr net::Timeout kPatience = std::chrono::seconds(30);

template <class Question>
Result<typename Question::Answer> ask_deliver(const settings::Settings& settings, const Question& question,
                                              ipc::Descriptors files = {}) {
    using Answer = Result<typename Question::Answer>;
    boost::asio::io_context context(1);
    ipc::ClientOptions options = ipc::deliver_client(settings.data_dir, ipc::Role::admin);
    options.limits.max_frame = kLargestAnswer;
    ipc::Client client(context, std::move(options));
    std::optional<Answer> answer;
    boost::asio::co_spawn(context, ipc::ask(client, question, std::move(files), kPatience),
                          [&](const std::exception_ptr& thrown, Answer given) {
                              answer =
                                  thrown ? Answer(transient_error("the answer of deliver could not be read"))
                                         : std::move(given);
                              context.stop();
                          });
    context.run();
    if (!answer) return transient_error("no answer from deliver");
    return *std::move(answer);
}

Failure unavailable(const Error& error) {
    return Failure(EX_UNAVAILABLE,
                   "deliver does not answer (" + error.what + "); `mailstead status` says what runs");
}

}  // namespace

Outcome<ipc::StatusAnswer> ask_status(const settings::Settings& settings) {
    auto answer = ask_deliver(settings, ipc::StatusQuestion{});
    if (!answer) return unavailable(answer.error());
    return *std::move(answer);
}

Outcome<std::uint64_t> command_queue(const settings::Settings& settings, const ipc::QueueCommand& command) {
    const auto answer = ask_deliver(settings, command);
    if (!answer) return unavailable(answer.error());
    if (!answer->error.empty()) return Failure(EX_TEMPFAIL, answer->error);
    return answer->count;
}

Outcome<ipc::WhoAnswer> ask_who(const settings::Settings& settings, AccountId account) {
    auto answer = ask_deliver(settings, ipc::WhoQuestion{account});
    if (!answer) return unavailable(answer.error());
    return *std::move(answer);
}

Outcome<std::uint64_t> kick(const settings::Settings& settings, const ipc::SessionSelector& which) {
    const auto answer = ask_deliver(settings, ipc::KickCommand{which});
    if (!answer) return unavailable(answer.error());
    if (answer->silent != 0)
        return Failure(EX_TEMPFAIL, "a daemon did not answer in time; `mailstead who` shows who is left");
    return answer->count;
}

void end_revoked_sessions(const settings::Settings& settings, AccountId account) {
    const auto answer = ask_deliver(settings, ipc::AccountChanged{account});
    if (!answer) return;
    if (answer->count != 0) print("Sessions ended: " + std::to_string(answer->count) + '\n');
    if (answer->silent != 0) print("A daemon did not answer in time: its sessions end within a minute\n");
}

Outcome<> announce_removal(const settings::Settings& settings, AccountId account) {
    ipc::AccountGone gone;
    gone.account = account;
    // Without deliver nobody has the account open.
    static_cast<void>(ask_deliver(settings, gone));
    return {};
}

Outcome<ipc::UndeleteAnswer> undelete_messages(const settings::Settings& settings,
                                               const ipc::UndeleteMessages& what) {
    auto answer = ask_deliver(settings, what);
    if (!answer) return unavailable(answer.error());
    if (!answer->error.empty()) return Failure(EX_TEMPFAIL, answer->error);
    return *std::move(answer);
}

Outcome<> apply_change(const settings::Settings& settings, AccountId account, const store::Change& change,
                       std::vector<FileDescriptor> files) {
    ipc::ApplyChange apply;
    apply.account = account;
    apply.change = store::encode(change);
    const auto answer = ask_deliver(settings, apply, std::move(files));
    if (!answer) return unavailable(answer.error());
    if (answer->error == 0) return {};
    const bool exists = answer->error == static_cast<std::uint8_t>(store::Fault::already_exists);
    const bool later = answer->error == static_cast<std::uint8_t>(store::Fault::unavailable);
    return Failure(exists ? EX_CANTCREAT : later ? EX_TEMPFAIL : EX_DATAERR, answer->bytes);
}

}  // namespace mailstead::admin
