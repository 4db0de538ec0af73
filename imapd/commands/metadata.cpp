// GETMETADATA, SETMETADATA (RFC 5464), and what FILTERS keeps there (RFC 5466, 3.2). The annotations of the
// server are the account's own.
#include <algorithm>

#include "imapd/commands/commands.h"
#include "imapd/proto/search_key.h"

namespace mailstead::imapd::commands {
namespace {

using Annotation = store::Snapshot::Annotation;
using Depth = proto::MetadataEntries::Depth;

constexpr std::string_view kAdmin = "/shared/admin";

// RFC 5464, 3.2.1.1. Every domain has a postmaster (RFC 5321, 4.5.1).
std::string admin_contact(const Session& session) {
    const std::size_t at = session.login.rfind('@');
    return at == std::string::npos ? std::string() : "mailto:postmaster" + session.login.substr(at);
}

void write_place(std::string& out, const std::optional<MailboxName>& mailbox, proto::Utf8 utf8) {
    if (mailbox) {
        proto::write_mailbox(out, *mailbox, utf8);
    } else {
        out += "\"\"";
    }
}

// RFC 5464, 4.2.2
bool is_wanted(const std::string& name, const proto::MetadataEntries& wanted) {
    return std::any_of(wanted.names.begin(), wanted.names.end(), [&](const std::string& asked) {
        if (name == asked) return true;
        if (wanted.depth == Depth::none || name.size() <= asked.size()) return false;
        if (!name.starts_with(asked) || name[asked.size()] != '/') return false;
        return wanted.depth == Depth::infinity || name.find('/', asked.size() + 1) == std::string::npos;
    });
}

// Writes `* METADATA "name" (` before the first entry, and `)` behind the last.
class Line {
public:
    Line(std::string& out, const std::optional<MailboxName>& mailbox, proto::Utf8 utf8)
        : out_(out), mailbox_(mailbox), utf8_(utf8) {}
    ~Line() {
        if (begun_) out_ += ")\r\n";
    }
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    std::string& entry(std::string_view name) {
        if (begun_) {
            out_ += ' ';
        } else {
            out_ += "* METADATA ";
            write_place(out_, mailbox_, utf8_);
            out_ += " (";
        }
        begun_ = true;
        proto::write_astring(out_, name);
        out_ += ' ';
        return out_;
    }

private:
    std::string& out_;
    const std::optional<MailboxName>& mailbox_;
    proto::Utf8 utf8_;
    bool begun_ = false;
};

// filter-name = 1*<any ATOM-CHAR except "/">   (RFC 5466, 4)
bool is_filter_name(std::string_view name) {
    proto::Lexer in(name);
    return in.atom() && in.at_end() && name.find('/') == std::string_view::npos;
}

// search-criteria = search-key *(SP search-key)
bool is_search(std::string_view value) {
    proto::Lexer in(value);
    return proto::parse_search_keys(in) && in.at_end();
}

// Why an entry of the server cannot be set so.
std::optional<Reply> check_server_entry(const std::string& name, const std::optional<std::string>& value) {
    if (name == kAdmin) return no("Clients cannot change that", "NOPERM");
    for (const std::string_view root : {"/private/filters/values/", "/shared/filters/values/"}) {
        if (!name.starts_with(root)) continue;
        if (!is_filter_name(std::string_view(name).substr(root.size())))
            return bad("Not the name of a filter");
        if (value && !is_search(*value)) return no("Not a search", "CANNOT");
    }
    return std::nullopt;
}

std::optional<Reply> check(const proto::SetMetadata& wanted) {
    for (const auto& [name, value] : wanted.entries) {
        if (value && value->size() > store::kMaxMetadataValue) {
            std::string code = "METADATA MAXSIZE ";
            proto::write_number(code, store::kMaxMetadataValue);
            return no("The value is too long", std::move(code));
        }
        if (wanted.mailbox) continue;
        if (auto refusal = check_server_entry(name, value)) return refusal;
    }
    return std::nullopt;
}

bool is_private(std::string_view name) {
    return name.starts_with("/private/");
}

// RFC 5464, 3.3: "l" and any one of these.
constexpr store::Rights kAny =
    store::Right::read | store::Right::seen | store::Right::write | store::Right::insert | store::Right::post;
std::optional<Reply> refusal_to_annotate(const Place& place) {
    if (!place.is_visible()) return no("No such mailbox", "NONEXISTENT");
    if (!place.rights.any_of(kAny)) return no("You may not do that with this mailbox", "NOPERM");
    return std::nullopt;
}

store::Outcome<std::vector<Annotation>> read(const store::Outcome<store::Snapshot>& now,
                                             const std::optional<MailboxName>& mailbox) {
    if (!now) return now.error();
    return now->metadata(mailbox);
}

}  // namespace

std::uint64_t write_metadata(Session& session, const std::optional<MailboxName>& mailbox,
                             const proto::MetadataEntries& wanted,
                             const std::vector<Annotation>& annotations) {
    Line line(session.out(), mailbox, session.enabled.strings());
    std::uint64_t longest = 0;
    for (const Annotation& annotation : annotations) {
        if (!is_wanted(annotation.name, wanted)) continue;
        if (wanted.max_size && annotation.value.size() > *wanted.max_size) {
            longest = std::max<std::uint64_t>(longest, annotation.value.size());
        } else {
            proto::write_string(line.entry(annotation.name), annotation.value, session.enabled.strings());
        }
    }
    if (wanted.depth != Depth::none) return longest;
    for (const std::string& name : wanted.names) {
        const auto has_name = [&](const Annotation& annotation) { return annotation.name == name; };
        if (std::none_of(annotations.begin(), annotations.end(), has_name)) line.entry(name) += "NIL";
    }
    return longest;
}

store::Outcome<std::vector<Annotation>> shared_annotations(const store::AccountReader& owner,
                                                           const MailboxName& name, store::Rights rights) {
    if (!rights.has(store::Right::lookup) || !rights.any_of(kAny))
        return store::Failure(store::Fault::non_existent, "no such mailbox");
    auto annotations = read(owner.snapshot(), name);
    // RFC 5464, 3.3: private ones are the owner's.
    if (annotations) std::erase_if(*annotations, [](const Annotation& a) { return is_private(a.name); });
    return annotations;
}

net::Task<Reply> getmetadata(Session& session, Command& command) {
    const auto& wanted = std::get<proto::GetMetadata>(command.arguments);
    store::Outcome<std::vector<Annotation>> annotations = std::vector<Annotation>();
    if (wanted.mailbox) {
        const auto place = co_await session.locate(*wanted.mailbox);
        if (!place) co_return reply_to(place.error());
        if (auto refused = refusal_to_annotate(*place)) co_return *std::move(refused);
        annotations = place->own ? read(place->reader.snapshot(), place->name)
                                 : shared_annotations(place->reader, place->name, place->rights);
    } else {
        annotations = read(session.own_snapshot(), std::nullopt);
    }
    if (!annotations) co_return reply_to(annotations.error());
    if (!wanted.mailbox) {
        std::string contact = admin_contact(session);
        if (!contact.empty()) annotations->push_back({std::string(kAdmin), std::move(contact)});
    }
    const std::uint64_t longest = write_metadata(session, wanted.mailbox, wanted.entries, *annotations);
    if (longest == 0) co_return ok("That is all");
    std::string code = "METADATA LONGENTRIES ";
    proto::write_number(code, longest);
    co_return ok("Some are longer", std::move(code));
}

net::Task<Reply> setmetadata(Session& session, Command& command) {
    auto& wanted = std::get<proto::SetMetadata>(command.arguments);
    if (const auto refusal = check(wanted)) co_return *refusal;
    store::SetMetadata change;
    AccountId owner = session.account;
    if (wanted.mailbox) {
        const auto place = co_await session.locate(*wanted.mailbox);
        if (!place) co_return reply_to(place.error());
        if (auto refused = refusal_to_annotate(*place)) co_return *std::move(refused);
        if (!place->own) {
            if (auto refused = refusal(*place, store::Right::write)) co_return *std::move(refused);
            const auto& entries = wanted.entries;
            if (std::any_of(entries.begin(), entries.end(),
                            [](const auto& e) { return is_private(e.first); }))
                co_return no("No private annotations here", "METADATA NOPRIVATE");
        }
        owner = place->account;
        change.mailbox = place->name;
    }
    for (auto& [name, value] : wanted.entries) change.entries.push_back({std::move(name), std::move(value)});
    store::Action action = std::move(change);
    const auto done = co_await session.apply(owner, std::move(action));
    if (!done && done.error().fault == store::Fault::limit)
        co_return no("There are too many annotations", "METADATA TOOMANY");
    if (!done) co_return reply_to(done.error());
    const auto* set = std::get_if<store::MetadataSet>(&*done);
    if (set != nullptr && owner == session.account) session.own_metadata = set->modseq;
    co_return ok("Set");
}

void enable_metadata(Session& session) {
    session.enabled.metadata = true;
    const auto now = session.own_snapshot();
    if (!now) return;
    if (const auto account = now->account()) session.metadata_told = account->metadata_modseq;
}

void write_metadata_changes(Session& session, const store::Snapshot& now) {
    const auto account = now.account();
    if (!account || account->metadata_modseq <= session.metadata_told) return;
    const auto changed = now.metadata_since(session.metadata_told);
    session.metadata_told = account->metadata_modseq;
    if (!changed) return;
    std::string& out = session.out();
    std::optional<MailboxId> line;  // the mailbox whose line is being written
    for (const auto& annotation : *changed) {
        if (annotation.modseq == session.own_metadata) continue;
        if (line != annotation.mailbox) {
            std::optional<MailboxName> name;
            if (annotation.mailbox) {
                const auto info = now.mailbox(annotation.mailbox);
                if (!info) continue;
                name = info->name;
            }
            if (line) out += "\r\n";
            line = annotation.mailbox;
            out += "* METADATA ";
            write_place(out, name, session.enabled.strings());
        }
        out += ' ';
        proto::write_astring(out, annotation.name);
    }
    if (line) out += "\r\n";
}

}  // namespace mailstead::imapd::commands
