#include "imapd/proto/flags.h"

#include <algorithm>

#include "common/base/text.h"

namespace mailstead::imapd::proto {
namespace {

struct Row {
    std::string_view name;
    SystemFlag flag;
};
constexpr Row kRows[] = {{"Answered", SystemFlag::answered},
                         {"Flagged", SystemFlag::flagged},
                         {"Deleted", SystemFlag::deleted},
                         {"Seen", SystemFlag::seen},
                         {"Draft", SystemFlag::draft}};

// flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension
Parsed<void> parse_flag(Lexer& in, FlagList& flags) {
    if (in.take('\\')) {
        TRY(name, in.atom());
        for (const Row& row : kRows) {
            if (text::iequals(row.name, name)) flags.system |= static_cast<std::uint8_t>(row.flag);
        }
        return {};
    }
    TRY(keyword, in.atom());
    if (keyword.size() > kMaxKeywordLength) return in.error("keyword too long");
    const auto same = [&](const std::string& other) { return text::iequals(other, keyword); };
    if (std::any_of(flags.keywords.begin(), flags.keywords.end(), same)) return {};
    if (flags.keywords.size() == kMaxKeywordsInCommand) return in.error("too many keywords");
    flags.keywords.emplace_back(keyword);
    return {};
}

Parsed<FlagList> parse_flags_until(Lexer& in) {
    FlagList flags;
    do {
        TRY_VOID(parse_flag(in, flags));
    } while (in.take(' '));
    return flags;
}

}  // namespace

Parsed<FlagList> parse_flag_list(Lexer& in) {
    TRY_VOID(in.expect('(', "flag list expected"));
    if (in.take(')')) return FlagList();
    TRY(flags, parse_flags_until(in));
    TRY_VOID(in.expect(')', "end of flag list expected"));
    return flags;
}

Parsed<FlagList> parse_store_flags(Lexer& in) {
    if (in.peek() == '(') return parse_flag_list(in);
    return parse_flags_until(in);
}

bool write_system_flags(std::string& out, std::uint8_t system, bool separate) {
    bool wrote = false;
    for (const Row& row : kRows) {
        if ((system & static_cast<std::uint8_t>(row.flag)) == 0) continue;
        if (wrote || separate) out += ' ';
        wrote = true;
        out += '\\';
        out += row.name;
    }
    return wrote;
}

}  // namespace mailstead::imapd::proto
