#include <array>

#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

constexpr std::array<Choice<LogLevel>, 4> kLogLevels = {{{"debug", LogLevel::debug},
                                                         {"info", LogLevel::info},
                                                         {"warning", LogLevel::warning},
                                                         {"error", LogLevel::error}}};

constexpr Row kLogRows[] = {
    {.key = "level",
     .type = Type::text,
     .default_toml = "\"info\"",
     .readers = "all daemons",
     .help = "debug, info, warning or error.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         return choose(kLogLevels, text_of(value), draft.settings.log.level);
     }},
    {.key = "file",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "all daemons",
     .help = "A file to append to; empty: standard error, which is the journal under systemd.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.log.file = draft.resolve(text_of(value));
         return std::nullopt;
     }},
};

}  // namespace

Table log() {
    return {.name = "log", .kind = TableKind::single, .help = "", .rows = kLogRows};
}

}  // namespace mailstead::settings::tables
