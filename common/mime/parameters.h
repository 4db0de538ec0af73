// Values with parameters: Content-Type and Content-Disposition (RFC 2045, 5.1; RFC 2183; RFC 2231).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailstead::mime {

inline constexpr std::size_t kMaxParameters = 100;            // per field; further ones are ignored
inline constexpr std::size_t kMaxParameterValue = 16 * 1024;  // bytes; longer values are cut

struct Parameter {
    std::string name;   // lower case, without the "*" of RFC 2231
    std::string value;  // unquoted; continuations joined; when extended, decoded to UTF-8
    // Whether it came with a charset (name*=, name*0*=). RFC 9051, 7.5.2 has it reported as "name*".
    bool extended = false;
    friend bool operator==(const Parameter&, const Parameter&) = default;
};

// The value of a parameter, given in lower case; the extended one where both exist; nullptr when absent.
const std::string* find_parameter(const std::vector<Parameter>& parameters, std::string_view name);

struct ParameterizedValue {
    std::string value;  // lower case: "text/plain", "attachment"; empty when there is none
    std::vector<Parameter> parameters;

    const std::string* find(std::string_view name) const { return find_parameter(parameters, name); }
};

// value *( ";" attribute "=" ( token / quoted-string ) ), the body of a field, folded or not. Comments,
// missing quotes, blanks around
// "=" and stray semicolons are tolerated. Takes time linear in the size of the field.
ParameterizedValue parse_parameterized(std::string_view body);

}  // namespace mailstead::mime
