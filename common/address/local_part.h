// What stands on the left of the "@".
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace mailstead {

// Held decoded: `"john smith"` and `john\ smith` are the same local part. Case is kept; who compares decides
// about folding.
class LocalPart {
public:
    // Local-part = Dot-string / Quoted-string (RFC 5321, 4.1.2), each with UTF-8 (RFC 6531, 3.3). At most 64
    // bytes are promised by the standard (RFC 5321, 4.5.3.1.1); up to 255 are accepted.
    static Parsed<LocalPart> parse(std::string_view wire);

    const std::string& decoded() const { return decoded_; }
    // As a path or header shows it: quoted only where that is needed.
    std::string wire() const;
    bool is_ascii() const;
    // ASCII letters folded: what the directory looks up.
    std::string folded() const;

    friend auto operator<=>(const LocalPart&, const LocalPart&) = default;

private:
    explicit LocalPart(std::string decoded) : decoded_(std::move(decoded)) {}
    std::string decoded_;
};

}  // namespace mailstead
