#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

constexpr std::uint64_t kMebi = 1024 * 1024;
constexpr std::uint64_t kGibi = 1024 * kMebi;

constexpr Row kLimitRows[] = {
    {.key = "message_size",
     .type = Type::size,
     .default_toml = "\"50 MiB\"",
     .minimum = 64 * 1024,
     .maximum = 2 * kGibi,
     .readers = "smtpd, imapd",
     .help = "The largest message, by SMTP and by IMAP APPEND.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.message_size = number_of(value);
         return std::nullopt;
     }},
    {.key = "recipients",
     .type = Type::number,
     .default_toml = "1000",
     .minimum = 100,  // RFC 5321, 4.5.3.1.8
     .maximum = 50000,
     .readers = "smtpd",
     .help = "Recipients of one message.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.recipients = number32_of(value);
         return std::nullopt;
     }},
    {.key = "connections",
     .type = Type::number,
     .default_toml = "5000",
     .minimum = 10,
     .maximum = 1000000,
     .readers = "smtpd, imapd",
     .help = "Open connections of each daemon.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.connections = number32_of(value);
         return std::nullopt;
     }},
    {.key = "connections_per_address",
     .type = Type::number,
     .default_toml = "100",
     .minimum = 1,
     .maximum = 1000000,
     .readers = "smtpd, imapd",
     .help = "Open connections of one client address (of one /64 with IPv6). A household behind one address "
             "has many.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.connections_per_address = number32_of(value);
         return std::nullopt;
     }},
    {.key = "sessions_per_account",
     .type = Type::number,
     .default_toml = "200",
     .minimum = 5,
     .maximum = 100000,
     .readers = "imapd",
     .help = "Logged-in sessions of one account. Thunderbird alone opens five.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.sessions_per_account = number32_of(value);
         return std::nullopt;
     }},
    {.key = "memory",
     .type = Type::size,
     .default_toml = "\"64 MiB\"",
     .minimum = 8 * kMebi,
     .maximum = 64 * kGibi,
     .readers = "smtpd",
     .help = "What one daemon spends on message bodies and command buffers; beyond it messages go to disk, "
             "clients wait.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.memory = number_of(value);
         return std::nullopt;
     }},
    {.key = "recipients_per_hour",
     .type = Type::number,
     .default_toml = "2000",
     .minimum = 1,
     .maximum = 100000000,
     .readers = "smtpd",
     .help =
         "Recipients that one account may write to in an hour, so that a stolen password does limited harm.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.recipients_per_hour = number32_of(value);
         return std::nullopt;
     }},
    {.key = "queue_messages",
     .type = Type::number,
     .default_toml = "100000",
     .minimum = 100,
     .maximum = 100000000,
     .readers = "deliver",
     .help = "Messages waiting in the outbound queue; above, mail is answered with \"later\".",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.queue_messages = number32_of(value);
         return std::nullopt;
     }},
    {.key = "free_space",
     .type = Type::size,
     .default_toml = "\"128 MiB\"",
     .minimum = 1 * kMebi,
     .maximum = 1024 * kGibi,
     .readers = "smtpd, deliver",
     .help = "Space that stays free on the data folder's disk; below, mail is answered with \"later\".",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.free_space = number_of(value);
         return std::nullopt;
     }},
    {.key = "keep_deleted",
     .type = Type::duration,
     .default_toml = "\"7 days\"",
     .minimum = 0,
     .maximum = 3650 * 86400ull,
     .readers = "deliver",
     .help = "How long messages that were expunged, and those of deleted mailboxes, can be given back; "
             "0: not at all. They count in no quota, and are the first to go when the disk runs short.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.keep_deleted = Seconds(number_of(value));
         return std::nullopt;
     }},
};

}  // namespace

Table limits() {
    return {.name = "limits",
            .kind = TableKind::single,
            .help = "What a peer or a user can make this machine spend.",
            .rows = kLimitRows};
}

}  // namespace mailstead::settings::tables
