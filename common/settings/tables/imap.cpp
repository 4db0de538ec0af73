#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

constexpr Row kImapRows[] = {
    {.key = "hidden_capabilities",
     .type = Type::texts,
     .default_toml = "[\"UIDONLY\"]",
     .readers = "imapd",
     .help = "Capabilities that no client is offered. A cloud proxy of Outlook enables UIDONLY and then "
             "breaks its rules.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.imap.hidden_capabilities = upper_case(texts_of(value));
         return std::nullopt;
     }},
    {.key = "fulltext",
     .type = Type::boolean,
     .default_toml = "true",
     .readers = "imapd, deliver",
     .help = "Keep an index of the words in every message, in data/accounts/*/fulltext, so that searches in "
             "texts take "
             "milliseconds instead of seconds. It is made in the background and takes disk space, mostly "
             "less than "
             "a fifth of the mail's. Answers are the same without it.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.imap.fulltext = std::get<bool>(value);
         return std::nullopt;
     }},
    {.key = "message_limit",
     .type = Type::number,
     .default_toml = "0",
     .minimum = 0,
     .maximum = 4000000000,
     .readers = "imapd",
     .help = "Messages that one command works on, the newest ones (RFC 9738); a client asks again for the "
             "others. 0: any number. Mailstead needs no limit; below 1000 clients may fare badly.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.imap.message_limit = number32_of(value);
         return std::nullopt;
     }},
    {.key = "save_limit",
     .type = Type::number,
     .default_toml = "0",
     .minimum = 0,
     .maximum = 4000000000,
     .readers = "imapd",
     .help = "Messages that one COPY or APPEND stores (RFC 9738), where message_limit is 0. 0: any number.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.imap.save_limit = number32_of(value);
         return std::nullopt;
     }},
};

}  // namespace

Table imap() {
    return {.name = "imap", .kind = TableKind::single, .help = "", .rows = kImapRows};
}

}  // namespace mailstead::settings::tables
