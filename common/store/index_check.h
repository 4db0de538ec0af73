// Whether an index can be the one of its account: cheap, at each open. verify.h looks closer. Internal to the
// store.
#pragma once

#include <filesystem>
#include <string_view>

#include "common/store/maildir.h"
#include "common/store/records.h"

namespace mailstead::store {

inline constexpr std::string_view kLostIndex = "the index is gone; it is made again from the files";

// The index is missing although the account had one (rebuild.h).
bool lost_index(const std::filesystem::path& root, AccountId account);

// Format (as check_format()), whose it is, and the account's sums against those of its mailboxes: some
// microseconds for each mailbox. False when the account does not exist yet.
Outcome<bool> check_index(const kv::ReadTransaction& transaction, const Databases& databases,
                          AccountId account);

}  // namespace mailstead::store
