#include "imapd/proto/command.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "common/base/base64.h"
#include "common/base/text.h"
#include "imapd/proto/parser.h"

namespace mailstead::imapd::proto {
namespace {

using Arguments = decltype(Command::arguments);

struct Row {
    std::string_view name;
    Verb verb;
};
// In order of name.
constexpr Row kRows[] = {
    {"APPEND", Verb::append},
    {"AUTHENTICATE", Verb::authenticate},
    {"CANCELUPDATE", Verb::cancelupdate},
    {"CAPABILITY", Verb::capability},
    {"CHECK", Verb::check},
    {"CLOSE", Verb::close},
    {"COMPRESS", Verb::compress},
    {"COPY", Verb::copy},
    {"CREATE", Verb::create},
    {"DELETE", Verb::delete_},
    {"DELETEACL", Verb::deleteacl},
    {"ENABLE", Verb::enable},
    {"ESEARCH", Verb::esearch},
    {"EXAMINE", Verb::examine},
    {"EXPUNGE", Verb::expunge},
    {"FETCH", Verb::fetch},
    {"GETACL", Verb::getacl},
    {"GETMETADATA", Verb::getmetadata},
    {"GETQUOTA", Verb::getquota},
    {"GETQUOTAROOT", Verb::getquotaroot},
    {"ID", Verb::id},
    {"IDLE", Verb::idle},
    {"LIST", Verb::list},
    {"LISTRIGHTS", Verb::listrights},
    {"LOGIN", Verb::login},
    {"LOGOUT", Verb::logout},
    {"LSUB", Verb::lsub},
    {"MOVE", Verb::move},
    {"MYRIGHTS", Verb::myrights},
    {"NAMESPACE", Verb::namespace_},
    {"NOOP", Verb::noop},
    {"NOTIFY", Verb::notify},
    {"RENAME", Verb::rename},
    {"REPLACE", Verb::replace},
    {"SEARCH", Verb::search},
    {"SELECT", Verb::select},
    {"SETACL", Verb::setacl},
    {"SETMETADATA", Verb::setmetadata},
    {"SETQUOTA", Verb::setquota},
    {"SORT", Verb::sort},
    {"STARTTLS", Verb::starttls},
    {"STATUS", Verb::status},
    {"STORE", Verb::store},
    {"SUBSCRIBE", Verb::subscribe},
    {"UIDBATCHES", Verb::uidbatches},
    {"UNAUTHENTICATE", Verb::unauthenticate},
    {"THREAD", Verb::thread},
    {"UNSELECT", Verb::unselect},
    {"UNSUBSCRIBE", Verb::unsubscribe},
};

std::optional<Verb> find_verb(std::string_view name) {
    for (const Row& row : kRows) {
        if (text::iequals(row.name, name)) return row.verb;
    }
    return std::nullopt;
}

// authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]    initial-resp = base64 / "="
Parsed<Authenticate> parse_authenticate(Parser& p) {
    TRY_VOID(p.in.space());
    TRY(mechanism, p.in.atom());
    Authenticate authenticate{text::upper(mechanism), std::nullopt};
    if (Lexer(p.in).end()) return authenticate;
    TRY_VOID(p.in.space());
    const std::size_t start = p.in.offset();
    TRY(encoded, p.in.atom());
    if (encoded == "=") {
        authenticate.initial.emplace();
        return authenticate;
    }
    auto decoded = base64_decode(encoded);
    if (!decoded) return ParseError("base64 expected", start);
    authenticate.initial = std::move(decoded);
    return authenticate;
}

// login = "LOGIN" SP userid SP password
Parsed<Login> parse_login(Parser& p) {
    TRY_VOID(p.in.space());
    TRY(user, p.in.astring());
    TRY_VOID(p.in.space());
    TRY(password, p.in.astring());
    Login login;
    login.user = std::move(user);
    login.password = Secret::take(password);
    return login;
}

// enable = "ENABLE" 1*(SP capability)
Parsed<Enable> parse_enable(Parser& p) {
    Enable enable;
    do {
        if (enable.capabilities.size() == 64) return p.in.error("too many capabilities");
        TRY_VOID(p.in.space());
        TRY(name, p.in.atom());
        enable.capabilities.push_back(text::upper(name));
    } while (!Lexer(p.in).end());
    return enable;
}

// id = "ID" SP (nil / "(" [string SP nstring *(SP string SP nstring)] ")")   (RFC 2971, 4)
Parsed<IdParameters> parse_id(Parser& p) {
    IdParameters id;
    TRY_VOID(p.in.space());
    if (p.in.take_word("NIL")) return id;
    TRY_VOID(p.in.expect('(', "( expected"));
    if (p.in.take(')')) return id;
    do {
        if (id.fields.size() == 30) return p.in.error("too many fields");  // RFC 2971, 3.3
        TRY(name, p.in.string());
        TRY_VOID(p.in.space());
        TRY(value, p.in.nstring());
        id.fields.emplace_back(std::move(name), std::move(value));
    } while (p.in.take(' '));
    TRY_VOID(p.in.expect(')', ") expected"));
    return id;
}

// getquota = "GETQUOTA" SP quota-root-name   (RFC 9208, 7)
Parsed<QuotaRoot> parse_getquota(Parser& p) {
    TRY_VOID(p.in.space());
    TRY(name, p.in.astring());
    return QuotaRoot{std::move(name)};
}

// compress = "COMPRESS" SP algorithm   (RFC 4978, 5)
Parsed<Compress> parse_compress(Parser& p) {
    TRY_VOID(p.in.space());
    TRY(algorithm, p.in.atom());
    return Compress{text::upper(algorithm)};
}

Parsed<OneMailbox> parse_one_mailbox(Parser& p) {
    TRY_VOID(p.in.space());
    TRY(mailbox, parse_mailbox(p));
    return OneMailbox{std::move(mailbox)};
}

// setacl = "SETACL" SP mailbox SP identifier SP mod-rights   (RFC 4314, 7)
// deleteacl = "DELETEACL" SP mailbox SP identifier    listrights = "LISTRIGHTS" SP mailbox SP identifier
Parsed<AclArguments> parse_acl(Parser& p, bool with_rights) {
    AclArguments arguments;
    TRY_VOID(p.in.space());
    TRY(mailbox, parse_mailbox(p));
    arguments.mailbox = std::move(mailbox);
    TRY_VOID(p.in.space());
    TRY(identifier, p.in.astring());
    arguments.identifier = std::move(identifier);
    if (!with_rights) return arguments;
    TRY_VOID(p.in.space());
    TRY(rights, p.in.astring());
    arguments.rights = std::move(rights);
    return arguments;
}

template <class T>
Parsed<Arguments> wrap(Parsed<T> parsed) {
    if (!parsed) return parsed.error();
    return Arguments(*std::move(parsed));
}

Parsed<Arguments> parse_arguments(Parser& p, Verb verb) {
    switch (verb) {
        case Verb::append:
            return wrap(parse_append(p, true));
        case Verb::authenticate:
            return wrap(parse_authenticate(p));
        case Verb::compress:
            return wrap(parse_compress(p));
        case Verb::cancelupdate:
            return wrap(parse_cancel_update(p));
        case Verb::copy:
            return wrap(parse_copy(p, false, false));
        case Verb::move:
            return wrap(parse_copy(p, false, true));
        case Verb::create:
            return wrap(parse_create(p));
        case Verb::delete_:
        case Verb::getacl:
        case Verb::getquotaroot:
        case Verb::myrights:
        case Verb::subscribe:
        case Verb::unsubscribe:
            return wrap(parse_one_mailbox(p));
        case Verb::deleteacl:
        case Verb::listrights:
            return wrap(parse_acl(p, false));
        case Verb::setacl:
            return wrap(parse_acl(p, true));
        case Verb::enable:
            return wrap(parse_enable(p));
        case Verb::esearch:
            return wrap(parse_esearch(p));
        case Verb::examine:
            return wrap(parse_select(p, true));
        case Verb::select:
            return wrap(parse_select(p, false));
        case Verb::expunge:
            return Arguments(Expunge{});
        case Verb::fetch:
            return wrap(parse_fetch(p, false));
        case Verb::getmetadata:
            return wrap(parse_getmetadata(p));
        case Verb::getquota:
            return wrap(parse_getquota(p));
        case Verb::id:
            return wrap(parse_id(p));
        case Verb::list:
            return wrap(parse_list(p));
        case Verb::login:
            return wrap(parse_login(p));
        case Verb::lsub:
            return wrap(parse_lsub(p));
        case Verb::notify:
            return wrap(parse_notify(p));
        case Verb::rename:
            return wrap(parse_rename(p));
        case Verb::replace:
            return wrap(parse_replace(p, false, true));
        case Verb::search:
            return wrap(parse_search(p, false));
        case Verb::setmetadata:
            return wrap(parse_setmetadata(p));
        case Verb::setquota:
            return wrap(parse_setquota(p));
        case Verb::sort:
            return wrap(parse_sort(p, false));
        case Verb::thread:
            return wrap(parse_thread(p, false));
        case Verb::status:
            return wrap(parse_status(p));
        case Verb::store:
            return wrap(parse_store(p, false));
        case Verb::uidbatches:
            return wrap(parse_uid_batches(p));
        case Verb::capability:
        case Verb::check:
        case Verb::close:
        case Verb::idle:
        case Verb::logout:
        case Verb::namespace_:
        case Verb::noop:
        case Verb::starttls:
        case Verb::unauthenticate:
        case Verb::unselect:
            return Arguments(Nothing{});
    }
    return p.in.error("unknown command");
}

// uid = "UID" SP (copy / move / fetch / replace / search / store / uid-expunge / sort / thread / esearch)
Parsed<Arguments> parse_uid_arguments(Parser& p, Verb verb) {
    switch (verb) {
        case Verb::copy:
            return wrap(parse_copy(p, true, false));
        case Verb::move:
            return wrap(parse_copy(p, true, true));
        case Verb::fetch:
            return wrap(parse_fetch(p, true));
        case Verb::replace:
            return wrap(parse_replace(p, true, true));
        case Verb::search:
            return wrap(parse_search(p, true));
        case Verb::sort:
            return wrap(parse_sort(p, true));
        case Verb::thread:
            return wrap(parse_thread(p, true));
        case Verb::esearch:
            return wrap(parse_esearch(p));
        case Verb::store:
            return wrap(parse_store(p, true));
        case Verb::expunge: {
            TRY_VOID(p.in.space());
            TRY(uids, SequenceSet::parse(p.in));
            return Arguments(Expunge{std::move(uids)});
        }
        default:
            return p.in.error("unknown command after UID");
    }
}

// tag SP command-name, and "UID" SP before it. The name is read, its arguments are not.
struct Head {
    std::string tag = "*";
    bool uid = false;
    Verb verb = Verb::noop;
};
Parsed<void> parse_head(Lexer& in, Head& head) {
    TRY(tag, in.tag());
    if (tag.size() > kMaxTag) return in.error("tag too long");
    head.tag = std::string(tag);
    TRY_VOID(in.space());
    head.uid = in.take_word("UID");
    if (head.uid) TRY_VOID(in.space());
    const std::size_t start = in.offset();
    TRY(name, in.atom());
    const auto verb = find_verb(name);
    if (!verb) return ParseError("unknown command", start);
    head.verb = *verb;
    return {};
}

Parsed<Arguments> parse_whole(Parser& p, Head& head) {
    TRY_VOID(parse_head(p.in, head));
    TRY(arguments, head.uid ? parse_uid_arguments(p, head.verb) : parse_arguments(p, head.verb));
    TRY_VOID(p.in.end());
    return arguments;
}

}  // namespace

std::string_view to_string(Verb verb) {
    return std::find_if(std::begin(kRows), std::end(kRows),
                        [verb](const Row& row) { return row.verb == verb; })
        ->name;
}

void throw_exception_from_error(const CommandError& error, const boost::source_location&) {
    throw std::runtime_error(std::string(error.error.what));
}

Result<Command, CommandError> parse_command(std::string_view frame, ParseOptions options) {
    Parser p{Lexer(frame), options, false, {}, false};
    Head head;
    auto arguments = parse_whole(p, head);
    if (!arguments)
        return CommandError{std::move(head.tag), p.is_no, p.code, arguments.error(), p.saves_result};
    return Command{std::move(head.tag), head.verb, *std::move(arguments)};
}

std::optional<MessageLiteral> append_literal_follows(std::string_view prefix, ParseOptions options) {
    Parser p{Lexer(prefix), options, false, {}, false};
    Head head;
    if (!parse_head(p.in, head)) return std::nullopt;
    MessageLiteral found;
    if (head.verb == Verb::append && !head.uid) {
        auto append = parse_append(p, false);
        if (!append || !p.in.at_end()) return std::nullopt;
        found.append = *std::move(append);
    } else if (head.verb == Verb::replace) {
        auto replace = parse_replace(p, head.uid, false);
        if (!replace || !p.in.at_end()) return std::nullopt;
        found.append = std::exchange(replace->append, Append());
        found.replace = *std::move(replace);
    } else {
        return std::nullopt;
    }
    found.tag = std::move(head.tag);
    return found;
}

}  // namespace mailstead::imapd::proto
