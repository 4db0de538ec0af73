// Flags as they cross the wire (RFC 9051, 2.3.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "imapd/proto/lexer.h"

namespace mailstead::imapd::proto {

enum class SystemFlag : std::uint8_t { seen = 1, answered = 2, flagged = 4, deleted = 8, draft = 16 };

inline constexpr std::size_t kMaxKeywordsInCommand = 64;
inline constexpr std::size_t kMaxKeywordLength = 128;

struct FlagList {
    std::uint8_t system = 0;            // SystemFlag values or-ed
    std::vector<std::string> keywords;  // as spelled; each once, case aside

    bool has(SystemFlag flag) const { return (system & static_cast<std::uint8_t>(flag)) != 0; }
    friend bool operator==(const FlagList&, const FlagList&) = default;
};

// flag-list = "(" [flag *(SP flag)] ")"
// \Recent and unknown flags beginning with "\" are read and dropped: clients that copy flags send them.
Parsed<FlagList> parse_flag_list(Lexer& in);
// flag-list / (flag *(SP flag)), as STORE takes them.
Parsed<FlagList> parse_store_flags(Lexer& in);

// Appends `\Seen \Flagged` in a fixed order; `separate` starts with a space. Returns whether anything was
// written.
bool write_system_flags(std::string& out, std::uint8_t system, bool separate = false);

}  // namespace mailstead::imapd::proto
