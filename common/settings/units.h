// Sizes and durations as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailstead::settings {

// `52428800`, `50 MiB`, `50M`: bytes, in powers of 1024. nullopt for anything else and for what exceeds 64
// bits.
std::optional<std::uint64_t> parse_size(std::string_view text);
// The largest unit that divides it: `50 MiB`.
std::string write_size(std::uint64_t bytes);

// `90`, `90 s`, `5 min`, `4 hours`, `5 days`: seconds.
std::optional<std::uint64_t> parse_duration(std::string_view text);

}  // namespace mailstead::settings
