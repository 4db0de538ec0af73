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
Parsed<Replace> parse_replace(Parser& p, bool uid, bool whole);
Parsed<GetMetadata> parse_getmetadata(Parser& p);
Parsed<SetMetadata> parse_setmetadata(Parser& p);
// "(" entry *(SP entry) ")" / entry
Parsed<std::vector<std::string>> parse_metadata_entries(Lexer& in);
Parsed<SetQuota> parse_setquota(Parser& p);
Parsed<Search> parse_search(Parser& p, bool uid);
Parsed<Search> parse_sort(Parser& p, bool uid);
Parsed<Search> parse_thread(Parser& p, bool uid);
Parsed<Search> parse_esearch(Parser& p);
Parsed<CancelUpdate> parse_cancel_update(Parser& p);
Parsed<Fetch> parse_fetch(Parser& p, bool uid);
Parsed<Store> parse_store(Parser& p, bool uid);
// parse_notify.cpp
Parsed<Notify> parse_notify(Parser& p);
Parsed<UidBatches> parse_uid_batches(Parser& p);

Parsed<Copy> parse_copy(Parser& p, bool uid, bool move);

}  // namespace mailstead::imapd::proto
