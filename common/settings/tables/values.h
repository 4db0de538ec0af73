// What the rows' `apply` functions share: a checked value as the type that its setting has.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/settings/schema.h"

namespace mailstead::settings::tables {

// What was expected instead; nullopt: the value is in its place.
using Wrong = std::optional<std::string>;

// The value of a row of this type. The loader has checked the type, and the bounds that the row states: the
// narrower integers are for rows whose maximum fits them.
inline const std::string& text_of(const Value& value) {
    return std::get<std::string>(value);
}
inline std::uint64_t number_of(const Value& value) {
    return std::get<std::uint64_t>(value);
}
inline std::uint32_t number32_of(const Value& value) {
    return static_cast<std::uint32_t>(number_of(value));
}
inline std::uint16_t port_of(const Value& value) {
    return static_cast<std::uint16_t>(number_of(value));
}
inline const std::vector<std::string>& texts_of(const Value& value) {
    return std::get<std::vector<std::string>>(value);
}

// Names of capabilities, as they are compared.
std::vector<std::string> upper_case(const std::vector<std::string>& names);

template <class Enum>
struct Choice {
    std::string_view name;
    Enum value;
};

// Finds the value that goes with a name; otherwise says which names there are.
template <class Enum, std::size_t N>
Wrong choose(const std::array<Choice<Enum>, N>& choices, const std::string& name, Enum& out) {
    std::string known;
    for (const auto& choice : choices) {
        if (choice.name == name) {
            out = choice.value;
            return std::nullopt;
        }
        known += (known.empty() ? "\"" : ", \"") + std::string(choice.name) + '"';
    }
    return "one of " + known;
}

}  // namespace mailstead::settings::tables
