// Keeps the table of shares (common/store/shares.h) in step with the access lists that users change.
#pragma once

#include <optional>

#include "common/commit/engine.h"
#include "common/store/shares.h"
#include "common/store/store.h"

namespace mailstead::deliver {

// What goes into the transaction of a change that may grant something; nullopt for other changes.
std::optional<commit::Part> note_share(AccountId owner, const store::Action& action);

// Before the submission of a change that may withdraw the last grant: what then to drop. Whatever is noted
// between this call and the drop keeps its place in the table.
std::optional<store::DropShare> share_to_drop(const store::SharesReader& shares, AccountId owner,
                                              const store::Action& action);
// Whether the change, which answered `result`, was the last one.
bool was_last_grant(std::string_view result);

commit::Part part(const store::ShareChange& change);

}  // namespace mailstead::deliver
