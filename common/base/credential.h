// By which of an account's credentials somebody proved who he is: what began with it ends with it.
#pragma once

#include <cstdint>
#include <string>

namespace mailstead {

struct Credential {
    enum class Kind : std::uint8_t { password, app_password, token };
    Kind kind = Kind::password;
    std::string name;               // of an app password
    std::uint64_t fingerprint = 0;  // of what is stored of it, another one after each change; of a token 0
    friend bool operator==(const Credential&, const Credential&) = default;
};

}  // namespace mailstead
