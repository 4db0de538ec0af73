// The journal's checksum: XXH64, 64 bits, several bytes a cycle without special instructions.
#pragma once

#include <cstdint>
#include <string_view>

namespace mailstead::commit {

std::uint64_t checksum(std::string_view bytes, std::uint64_t seed);

}  // namespace mailstead::commit
