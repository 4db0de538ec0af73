#include "deliver/local/sharing.h"

namespace mailstead::deliver {
namespace {

using How = store::SetAcl::How;

bool may_grant(const store::SetAcl& change) {
    return !change.negative && change.how != How::remove && !change.rights.empty();
}

bool may_withdraw(const store::SetAcl& change) {
    return !change.negative &&
           (change.how == How::remove || (change.how == How::replace && change.rights.empty()));
}

}  // namespace

std::optional<commit::Part> note_share(AccountId owner, const store::Action& action) {
    const auto* change = std::get_if<store::SetAcl>(&action);
    if (change == nullptr || !may_grant(*change)) return std::nullopt;
    return part(store::NoteShare{owner, change->who});
}

std::optional<store::DropShare> share_to_drop(const store::SharesReader& shares, AccountId owner,
                                              const store::Action& action) {
    const auto* change = std::get_if<store::SetAcl>(&action);
    if (change == nullptr || !may_withdraw(*change)) return std::nullopt;
    const auto stamp = shares.stamp(owner, change->who);
    if (!stamp || !*stamp) return std::nullopt;
    return store::DropShare{owner, change->who, **stamp};
}

bool was_last_grant(std::string_view result) {
    const auto decoded = store::decode_result(result);
    const auto* set = decoded ? std::get_if<store::AclSet>(&*decoded) : nullptr;
    return set != nullptr && !set->still_granted;
}

commit::Part part(const store::ShareChange& change) {
    return commit::Part{std::string(store::kSharesEnvironment), store::encode(change), {}};
}

}  // namespace mailstead::deliver
