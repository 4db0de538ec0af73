#include "common/settings/units.h"

#include <array>
#include <span>

#include "common/base/text.h"

namespace mailstead::settings {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::uint64_t kKibi = 1024;
constexpr std::array kSizeUnits = {
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"kib", kKibi},
    Unit{"k", kKibi},
    Unit{"mib", kKibi* kKibi},
    Unit{"m", kKibi* kKibi},
    Unit{"gib", kKibi* kKibi* kKibi},
    Unit{"g", kKibi* kKibi* kKibi},
    Unit{"tib", kKibi* kKibi* kKibi* kKibi},
};
constexpr std::array kDurationUnits = {
    Unit{"", 1},         Unit{"s", 1},       Unit{"second", 1},   Unit{"seconds", 1},  Unit{"min", 60},
    Unit{"m", 60},       Unit{"minute", 60}, Unit{"minutes", 60}, Unit{"h", 3600},     Unit{"hour", 3600},
    Unit{"hours", 3600}, Unit{"d", 86400},   Unit{"day", 86400},  Unit{"days", 86400},
};

// number = 1*DIGIT *SP [unit]
std::optional<std::uint64_t> parse_quantity(std::string_view quantity, std::span<const Unit> units) {
    const std::size_t end = std::min(quantity.find_first_not_of("0123456789"), quantity.size());
    const auto number = text::parse_number<std::uint64_t>(quantity.substr(0, end));
    if (!number) return std::nullopt;
    const std::string name = text::lower(text::trim(quantity.substr(end)));
    for (const Unit& unit : units) {
        if (unit.name != name) continue;
        std::uint64_t product = 0;
        if (__builtin_mul_overflow(*number, unit.factor, &product)) return std::nullopt;
        return product;
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
    return parse_quantity(text, kSizeUnits);
}

std::optional<std::uint64_t> parse_duration(std::string_view text) {
    return parse_quantity(text, kDurationUnits);
}

std::string write_size(std::uint64_t bytes) {
    constexpr std::array kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes != 0 && bytes % kKibi == 0 && unit + 1 < kNames.size()) {
        bytes /= kKibi;
        ++unit;
    }
    return std::to_string(bytes) + ' ' + kNames[unit];
}

}  // namespace mailstead::settings
