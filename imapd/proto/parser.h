// What the parsers of the commands' arguments share. Internal to proto.
#pragma once

#include "imapd/proto/command.h"
#include "imapd/proto/lexer.h"

namespace mailstead::imapd::proto {

// One command under way.
struct Parser {
    Lexer in;
    ParseOptions options;
    // Set where the words were read but mean something impossible.
    bool is_no = false;
    std::string_view code;
    bool saves_result = false;
};

// mailbox = "INBOX" / astring
Parsed<MailboxName> parse_mailbox(Parser& p);

Parsed<Select> parse_select(Parser& p, bool read_only);
Parsed<Create> parse_create(Parser& p);
Parsed<Rename> parse_rename(Parser& p);
Parsed<Status> parse_status(Parser& p);
Parsed<List> parse_list(Parser& p);
Parsed<List> parse_lsub(Parser& p);

// `whole` is false while only the part up to a message's literal is there.
Parsed<Append> parse_append(Parser& p, bool whole);
Parsed<Search> parse_search(Parser& p, bool uid);
Parsed<Search> parse_sort(Parser& p, bool uid);
Parsed<Search> parse_thread(Parser& p, bool uid);
Parsed<Search> parse_esearch(Parser& p);
Parsed<CancelUpdate> parse_cancel_update(Parser& p);
Parsed<Fetch> parse_fetch(Parser& p, bool uid);
Parsed<Store> parse_store(Parser& p, bool uid);
Parsed<Copy> parse_copy(Parser& p, bool uid, bool move);

}  // namespace mailstead::imapd::proto
