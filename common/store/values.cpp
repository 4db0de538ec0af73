#include "common/store/values.h"

#include <array>

#include "common/base/text.h"

namespace mailstead::store {
namespace {
constexpr std::array<std::string_view, 6> kAttributes = {"",       "\\Archive", "\\Drafts",
                                                         "\\Junk", "\\Sent",    "\\Trash"};
}

std::string_view attribute_of(SpecialUse use) {
    return kAttributes[static_cast<std::size_t>(use)];
}

std::optional<SpecialUse> special_use_of(std::string_view attribute) {
    for (std::size_t n = 1; n < kAttributes.size(); ++n) {
        if (text::iequals(attribute, kAttributes[n])) return static_cast<SpecialUse>(n);
    }
    return std::nullopt;
}

}  // namespace mailstead::store
