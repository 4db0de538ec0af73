// How the directory's values lie in the database. Each starts with a version of its own.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/directory/directory.h"

namespace mailstead::directory {

// What an address means: an account, or an alias.
struct AliasRecord {
    std::vector<Address> targets;
    Time created{};
};
using AddressRecord = std::variant<AccountId, AliasRecord>;

std::string encode(const Account& account);
std::string encode(const RemovedAccount& removed);
std::string encode(const DomainRecord& domain);
std::string encode(const AddressRecord& address);

// A record that does not read is an Error: a damaged directory must not look like an unknown user.
Result<Account> decode_account(AccountId id, std::string_view bytes);
Result<RemovedAccount> decode_removed(AccountId id, std::string_view bytes);
Result<DomainRecord> decode_domain(std::string_view name, std::string_view bytes);
Result<AddressRecord> decode_address(std::string_view bytes);

}  // namespace mailstead::directory
