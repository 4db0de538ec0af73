// How secrets lie in the database. Each record starts with a version of its own.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/directory/credentials.h"

namespace mailstead::directory {

std::string encode(const AccountCredentials& credentials);
Result<AccountCredentials> decode_credentials(std::string_view bytes);

// The key is `domain`, a zero byte, `selector`.
std::string dkim_database_key(const Domain& domain, std::string_view selector);
std::string encode(const DkimKey& key);
Result<DkimKey> decode_dkim_key(std::string_view database_key, std::string_view bytes);

}  // namespace mailstead::directory
