// Which thread a message belongs to. Internal to the store.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/store/records.h"

namespace mailstead::store {

// The thread of a new message, by what its fetch cache tells; remembers its Message-ID for those to come.
Outcome<std::uint64_t> thread_of(kv::WriteTransaction& transaction, const Databases& databases,
                                 std::uint64_t message, std::string_view cache);

}  // namespace mailstead::store
