#include "common/store/accounts.h"

#include "common/base/text.h"
#include "common/store/applier.h"
#include "common/store/maildir.h"
#include "common/store/records.h"

namespace mailstead::store {
namespace {

class AccountEnvironment final : public commit::Environment {
public:
    AccountEnvironment(AccountId id, std::shared_ptr<kv::Env> env, const Databases& databases)
        : id_(id), env_(std::move(env)), databases_(databases) {}

    Result<std::string> apply(kv::WriteTransaction& transaction, std::string_view bytes,
                              commit::ApplyContext& context) override {
        const auto change = decode_change(bytes);
        if (!change) return to_error(change.error());
        const auto result = Applier(transaction, databases_, id_, context).apply(*change);
        if (!result) return to_error(result.error());
        return encode(*result);
    }

private:
    AccountId id_;
    std::shared_ptr<kv::Env> env_;
    Databases databases_;
};

std::optional<AccountId> parse_id(std::string_view name) {
    const auto number = text::parse_number<std::uint32_t>(name);
    // One spelling for each account: "07" would be a second environment in the same folder.
    if (!number || *number == 0 || std::to_string(*number) != name) return std::nullopt;
    return AccountId(*number);
}

}  // namespace

Accounts::Accounts(std::function<void(std::string_view)> log) : log_(std::move(log)) {}
Accounts::~Accounts() = default;

Result<commit::EnvironmentPlace> Accounts::locate(std::string_view name) {
    const auto id = parse_id(name);
    if (!id) return to_error(Failure(Fault::non_existent, "no such account"));
    commit::EnvironmentPlace place;
    place.directory = maildir::index_path(*id);
    place.options = index_options(kv::Access::engine_writer);
    return place;
}

Result<std::unique_ptr<commit::Environment>> Accounts::attach(std::string_view name,
                                                              std::shared_ptr<kv::Env> env) {
    const auto id = parse_id(name);
    if (!id) return to_error(Failure(Fault::non_existent, "no such account"));
    TRY(databases, open_databases(*env));
    TRY(transaction, env->read());
    if (const auto format = check_format(transaction, databases); !format) {
        if (log_) log_("account " + std::string(name) + ": " + format.error().what);
        return to_error(format.error());
    }
    return std::unique_ptr<commit::Environment>(
        std::make_unique<AccountEnvironment>(*id, std::move(env), databases));
}

}  // namespace mailstead::store
