#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

constexpr Row kTopRows[] = {
    {.key = "hostname",
     .type = Type::text,
     .default_toml = "",
     .readers = "all daemons",
     .help = "The full name of this machine, as its PTR record says it: in greetings, HELO, Received and "
             "Message-ID.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         auto domain = Domain::parse(text_of(value));
         if (!domain || domain->is_literal()) return "a host name, such as \"mail.example.org\"";
         draft.settings.hostname = *std::move(domain);
         return std::nullopt;
     }},
    {.key = "data_dir",
     .type = Type::text,
     .default_toml = "\"/var/lib/mailstead\"",
     .readers = "all",
     .help = "The folder for mail, queue and directory. One file system, with room for all mail.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         if (text_of(value).empty()) return "a folder";
         draft.settings.data_dir = draft.resolve(text_of(value));
         return std::nullopt;
     }},
    {.key = "user",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "all",
     .help =
         "The user who owns the data: what deliver becomes when root starts it, and the commands of root. "
         "Empty: everything runs as who starts it.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.user = text_of(value);
         return std::nullopt;
     }},
    {.key = "imapd_user",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "imapd, deliver",
     .help = "imapd's user, whose group may read mail; empty: the one of `user` with \"-imapd\".",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.imapd_user = text_of(value);
         return std::nullopt;
     }},
    {.key = "smtpd_user",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "smtpd, deliver",
     .help = "smtpd's user; empty: the one of `user` with \"-smtpd\".",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.smtpd_user = text_of(value);
         return std::nullopt;
     }},
    {.key = "workers",
     .type = Type::number,
     .default_toml = "0",
     .maximum = 256,
     .readers = "all daemons",
     .help = "Threads that serve connections, in each daemon; 0: one per core.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.workers = number32_of(value);
         return std::nullopt;
     }},
};

}  // namespace

Table general() {
    return {.name = "", .kind = TableKind::single, .help = "", .rows = kTopRows};
}

}  // namespace mailstead::settings::tables
