#include "admin/hold_link.h"

#include <fcntl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "common/ipc/channel.h"
#include "common/ipc/hold_messages.h"

namespace mailstead::admin {
namespace {

constexpr net::Timeout kPatience = std::chrono::minutes(2);  // the housekeeper ends what it has in hand
constexpr auto kBetweenSigns = std::chrono::seconds(10);

using Op = ipc::HoldCommand::Op;

}  // namespace

struct HoldLink::State {
    explicit State(const std::filesystem::path& data_dir)
        : client(context, ipc::deliver_client(data_dir, ipc::Role::admin)) {}

    Outcome<ipc::HoldAnswer> ask(Op op, const std::string& environment, ipc::Descriptors files) {
        using Answer = Result<ipc::HoldAnswer>;
        std::optional<Answer> answer;
        const ipc::HoldCommand command{op, environment};
        boost::asio::co_spawn(context, ipc::ask(client, command, std::move(files), kPatience),
                              [&](const std::exception_ptr& thrown, Answer given) {
                                  answer = thrown ? Answer(transient_error("its answer could not be read"))
                                                  : std::move(given);
                                  context.stop();
                              });
        context.restart();
        context.run();
        if (!answer || !*answer) {
            return Failure(EX_UNAVAILABLE, "deliver does not answer (" +
                                               (answer ? answer->error().what : std::string("no answer")) +
                                               "): is it running?");
        }
        if (!(*answer)->error.empty()) return Failure(EX_TEMPFAIL, (*answer)->error);
        last_sign = std::chrono::steady_clock::now();
        return **std::move(answer);
    }

    boost::asio::io_context context{1};
    ipc::Client client;
    std::uint64_t batch = 0;
    std::chrono::steady_clock::time_point last_sign;
};

HoldLink::HoldLink() = default;

HoldLink::~HoldLink() {
    if (state_) static_cast<void>(state_->ask(Op::end, {}, {}));
}

Outcome<std::unique_ptr<HoldLink>> HoldLink::begin(const settings::Settings& settings, int directory,
                                                   int credentials) {
    std::unique_ptr<HoldLink> link(new HoldLink());
    auto state = std::make_unique<State>(settings.data_dir);
    ipc::Descriptors files;
    for (const int file : {directory, credentials}) files.emplace_back(::fcntl(file, F_DUPFD_CLOEXEC, 0));
    TRY(answer, state->ask(Op::begin, {}, std::move(files)));
    state->batch = answer.batch;
    link->state_ = std::move(state);
    return link;
}

std::uint64_t HoldLink::batch() const {
    return state_->batch;
}

Outcome<std::optional<kv::MetaPages>> HoldLink::pages(const std::string& environment) {
    TRY(answer, state_->ask(Op::pages, environment, {}));
    if (answer.meta_pages.empty()) return std::optional<kv::MetaPages>();
    return std::optional(kv::MetaPages{std::move(answer.meta_pages)});
}

Outcome<> HoldLink::unpin() {
    TRY_VOID(state_->ask(Op::unpin, {}, {}));
    return {};
}

Outcome<> HoldLink::still_here() {
    if (std::chrono::steady_clock::now() - state_->last_sign < kBetweenSigns) return {};
    TRY_VOID(state_->ask(Op::still_here, {}, {}));
    return {};
}

}  // namespace mailstead::admin
