// Every command that Mailstead's IMAP server knows, as a value (RFC 9051, 6, and the extensions named at
// each).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/address/mailbox_name.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "imapd/proto/fetch_items.h"
#include "imapd/proto/flags.h"
#include "imapd/proto/notify.h"
#include "imapd/proto/search_key.h"
#include "imapd/proto/search_options.h"
#include "imapd/proto/sequence_set.h"

namespace mailstead::imapd::proto {

inline constexpr std::size_t kMaxTag = 64;
inline constexpr std::size_t kMaxListPatterns = 64;
inline constexpr std::size_t kMaxAppendMessages = 60;
inline constexpr std::size_t kMaxCatenateParts = 256;  // of all messages of one command
inline constexpr std::size_t kMaxMetadataArguments = 100;

enum class Verb : std::uint8_t {
    append,
    authenticate,
    cancelupdate,
    capability,
    check,
    close,
    compress,
    copy,
    create,
    delete_,
    deleteacl,
    enable,
    esearch,
    examine,
    expunge,
    fetch,
    getacl,
    getmetadata,
    getquota,
    getquotaroot,
    id,
    idle,
    list,
    listrights,
    login,
    logout,
    lsub,
    move,
    myrights,
    namespace_,
    noop,
    notify,
    rename,
    replace,
    search,
    select,
    setacl,
    setmetadata,
    setquota,
    sort,
    starttls,
    status,
    store,
    subscribe,
    uidbatches,
    unauthenticate,
    thread,
    unselect,
    unsubscribe
};
std::string_view to_string(Verb verb);

struct Nothing {};

// AUTHENTICATE (RFC 9051, 6.2.2)
struct Authenticate {
    std::string mechanism;               // upper case
    std::optional<std::string> initial;  // base64 undone; empty for "="
};
// LOGIN (RFC 9051, 6.2.3)
struct Login {
    std::string user;
    Secret password;
};
// ENABLE (RFC 5161)
struct Enable {
    std::vector<std::string> capabilities;  // upper case
};
// SELECT, EXAMINE (RFC 9051, 6.3.2; RFC 7162, 3.1.8 and 3.2.5)
struct QResync {
    std::uint32_t uidvalidity = 0;
    std::uint64_t mod_seq = 0;
    std::optional<SequenceSet> known_uids;
    std::optional<std::pair<SequenceSet, SequenceSet>> matched;  // sequence numbers, and their UIDs
};
struct Select {
    MailboxName mailbox = MailboxName::inbox();
    bool read_only = false;
    bool condstore = false;
    std::optional<QResync> qresync;
};
// CREATE (RFC 9051, 6.3.4; RFC 6154, 3)
struct Create {
    MailboxName mailbox = MailboxName::inbox();
    std::vector<std::string> special_uses;  // `\Sent`
};
// DELETE, SUBSCRIBE, UNSUBSCRIBE, GETQUOTAROOT, GETACL, MYRIGHTS
struct OneMailbox {
    MailboxName mailbox = MailboxName::inbox();
};
// RENAME (RFC 9051, 6.3.6)
struct Rename {
    MailboxName from = MailboxName::inbox();
    MailboxName to = MailboxName::inbox();
};

// STATUS items (RFC 9051, 6.3.11; RFC 7162; RFC 7889; RFC 8438; RFC 8474; RFC 9208)
struct StatusItems {
    bool messages = false;
    bool recent = false;
    bool uidnext = false;
    bool uidvalidity = false;
    bool unseen = false;
    bool deleted = false;
    bool deleted_storage = false;
    bool size = false;
    bool highest_mod_seq = false;
    bool append_limit = false;
    bool mailbox_id = false;
};
// GETMETADATA (RFC 5464, 4.2), and what RETURN (METADATA ...) of LIST asks for (RFC 9590, 3)
struct MetadataEntries {
    enum class Depth : std::uint8_t { none, one, infinity };
    std::vector<std::string> names;  // lower case
    std::optional<std::uint64_t> max_size;
    Depth depth = Depth::none;
};
struct GetMetadata {
    std::optional<MailboxName> mailbox;  // none: of the server
    MetadataEntries entries;
};
// SETMETADATA (RFC 5464, 4.3)
struct SetMetadata {
    std::optional<MailboxName> mailbox;
    std::vector<std::pair<std::string, std::optional<std::string>>> entries;  // names in lower case
};
struct Status {
    MailboxName mailbox = MailboxName::inbox();
    StatusItems items;
};

// LIST (RFC 9051, 6.3.9; RFC 5258; RFC 5819; RFC 6154) and LSUB (RFC 3501, 6.3.9)
struct List {
    bool lsub = false;
    bool extended = false;  // came with selection or return options, or several patterns
    // selection
    bool subscribed_only = false;
    bool special_use_only = false;
    bool remote = false;
    bool recursive_match = false;
    std::string reference;              // UTF-8
    std::vector<std::string> patterns;  // UTF-8
    // return
    bool return_subscribed = false;
    bool return_children = false;
    bool return_special_use = false;
    bool return_my_rights = false;  // RFC 8440
    std::optional<StatusItems> return_status;
    std::optional<MetadataEntries> return_metadata;
};

// APPEND (RFC 9051, 6.3.12; RFC 3502; RFC 4469; RFC 6855, 4). The messages themselves went past in a stream.
struct CatenatePart {
    std::optional<std::string> url;  // none: the text
    StreamedLiteral text;
};
struct AppendMessage {
    FlagList flags;
    std::optional<std::chrono::sys_seconds> internal_date;
    StreamedLiteral literal;
    std::vector<CatenatePart> parts;  // with CATENATE, and then `literal` means nothing

    std::size_t literals() const;
};
struct Append {
    MailboxName mailbox = MailboxName::inbox();
    std::vector<AppendMessage> messages;

    bool catenates() const;
    // How many literals of messages there are in it.
    std::size_t literals() const;
};
// REPLACE, UID REPLACE (RFC 8508)
struct Replace {
    bool uid = false;
    SequenceSet message;  // names one
    Append append;        // of one message
};

// EXPUNGE, UID EXPUNGE (RFC 4315, 2.1)
struct Expunge {
    std::optional<SequenceSet> uids;
};
// SEARCH (RFC 9051, 6.4.4), SORT and THREAD (RFC 5256), ESEARCH (RFC 7377)
struct Search {
    enum class Kind : std::uint8_t { plain, sort, thread, multiple };
    Kind kind = Kind::plain;
    bool uid = false;
    SearchReturn result;
    SearchKey key;
    std::vector<SortCriterion> criteria;                           // sort
    ThreadAlgorithm algorithm = ThreadAlgorithm::ordered_subject;  // thread
    std::vector<MailboxSource> sources;                            // multiple
};
// CANCELUPDATE (RFC 5267, 4.3.5)
struct CancelUpdate {
    std::vector<std::string> tags;
};
// FETCH (RFC 9051, 6.4.5; RFC 7162, 3.1.4 and 3.2.6)
struct Fetch {
    bool uid = false;
    SequenceSet messages;
    std::vector<FetchItem> items;
    std::optional<std::uint64_t> changed_since;
    bool vanished = false;
    std::optional<PartialRange> partial;  // RFC 9394, 3.3
};
// STORE (RFC 9051, 6.4.6; RFC 7162, 3.1.3)
struct Store {
    enum class How : std::uint8_t { replace, add, remove };
    bool uid = false;
    SequenceSet messages;
    How how = How::replace;
    bool silent = false;
    FlagList flags;
    std::optional<std::uint64_t> unchanged_since;
};
// COPY, MOVE (RFC 9051, 6.4.7; RFC 6851)
struct Copy {
    bool uid = false;
    bool move = false;
    SequenceSet messages;
    MailboxName mailbox = MailboxName::inbox();
};
// ID (RFC 2971)
struct IdParameters {
    std::vector<std::pair<std::string, std::optional<std::string>>> fields;
};
// GETQUOTA (RFC 9208, 4.1.2)
struct QuotaRoot {
    std::string name;
};
// SETQUOTA (RFC 9208, 4.1.3)
struct SetQuota {
    std::string root;
    std::vector<std::pair<std::string, std::uint64_t>> limits;  // names in upper case
};

// SETACL, DELETEACL, LISTRIGHTS (RFC 4314, 3)
struct AclArguments {
    MailboxName mailbox = MailboxName::inbox();
    std::string identifier;
    std::string rights;  // SETACL: with "+" or "-" before, or to replace those that are there
};
// COMPRESS (RFC 4978)
struct Compress {
    std::string algorithm;  // upper case
};
// UIDBATCHES (RFC 10022): ranges of UIDs with `size` messages each, counted from the newest.
struct UidBatches {
    std::uint32_t size = 0;
    std::optional<NumberRange> range;  // of the batches, the first is 1
};

struct Command {
    std::string tag;
    Verb verb = Verb::noop;
    std::variant<Nothing, Authenticate, Login, Enable, Select, Create, OneMailbox, Rename, Status, List,
                 Append, Expunge, Search, Fetch, Store, Copy, IdParameters, QuotaRoot, AclArguments, Compress,
                 Notify, UidBatches, Replace, GetMetadata, SetMetadata, SetQuota, CancelUpdate>
        arguments;
};

// Why a command was not understood. `is_no`: the grammar is fine, but what it asks for cannot be (an
// impossible mailbox name, an unknown charset): NO instead of BAD. `code` goes into brackets when it is not
// empty.
struct CommandError {
    std::string tag;  // "*" when not even the tag could be read
    bool is_no = false;
    std::string_view code;
    ParseError error;
    bool saves_result = false;  // a SEARCH with SAVE: what was saved is lost (RFC 5182, 2.1)
};
[[noreturn]] void throw_exception_from_error(const CommandError& error, const boost::source_location& where);

struct ParseOptions {
    // After ENABLE UTF8=ACCEPT or IMAP4rev2: mailbox names are UTF-8, not modified UTF-7 (RFC 6855, 3).
    bool utf8_names = false;
};

// One framed command. A message literal of APPEND must have been streamed, as append_literal_follows() tells
// the framer's owner.
Result<Command, CommandError> parse_command(std::string_view frame, ParseOptions options);

// For the owner of a framer: `prefix` is a command up to and including a literal's announcement. The APPEND
// or REPLACE so far if this literal is a message of it or a TEXT of CATENATE, so that its bytes need not pass
// through memory; the last element of `messages`, or of its parts, belongs to the literal.
struct MessageLiteral {
    std::string tag;
    Append append;
    std::optional<Replace> replace;  // its own `append` is empty
};
std::optional<MessageLiteral> append_literal_follows(std::string_view prefix, ParseOptions options);

}  // namespace mailstead::imapd::proto
