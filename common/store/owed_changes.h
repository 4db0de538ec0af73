// Changes that were journaled for an index which was lost, applied to the one that was rebuilt from the
// files: part of what they did is in the files already. Internal to the store.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "common/store/change.h"
#include "common/store/records.h"

namespace mailstead::store {

// For the changes of one debt, in their order.
class OwedChanges {
public:
    // Messages whose file was found are taken out of APPEND and COPY; what the follower said of the old index
    // is meaningless. False: nothing of the change is left to be done. A message is known again by its date,
    // size and fetch cache; of two that are the same both must be there.
    Outcome<bool> take_away_what_is_there(kv::WriteTransaction& transaction, const Databases& databases,
                                          Change& change);

private:
    Outcome<void> learn(kv::WriteTransaction& transaction, const Databases& databases);
    Outcome<bool> is_there(kv::WriteTransaction& transaction, const Databases& databases,
                           const NewMessage& message);
    Outcome<bool> left_of(kv::WriteTransaction& transaction, const Databases& databases, Append& append);
    Outcome<bool> left_of(kv::WriteTransaction& transaction, const Databases& databases, Copy& copy);

    bool has_learned_ = false;
    std::unordered_multimap<std::uint64_t, std::uint64_t> by_date_and_size_;  // message ids, each once
};

}  // namespace mailstead::store
