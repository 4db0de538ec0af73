#include "imapd/session/capabilities.h"

#include "common/base/text.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd {
namespace {

enum class Shown : std::uint8_t {
    always,
    after_login,
    with_number,   // after the login, when there is such a limit
    as_mechanism,  // by the login, which knows what the connection allows
};
struct Row {
    Capability capability;
    std::string_view name;  // as announced
    Shown shown;
};
constexpr Row kRows[] = {
    {Capability::imap4rev1, "IMAP4rev1", Shown::always},
    {Capability::imap4rev2, "IMAP4rev2", Shown::always},
    {Capability::literal_plus, "LITERAL+", Shown::always},
    {Capability::sasl_ir, "SASL-IR", Shown::always},
    {Capability::enable, "ENABLE", Shown::always},
    {Capability::id, "ID", Shown::always},
    {Capability::idle, "IDLE", Shown::after_login},
    {Capability::namespace_, "NAMESPACE", Shown::after_login},
    {Capability::uidplus, "UIDPLUS", Shown::after_login},
    {Capability::move, "MOVE", Shown::after_login},
    {Capability::condstore, "CONDSTORE", Shown::after_login},
    {Capability::qresync, "QRESYNC", Shown::after_login},
    {Capability::esearch, "ESEARCH", Shown::after_login},
    {Capability::searchres, "SEARCHRES", Shown::after_login},
    {Capability::within, "WITHIN", Shown::after_login},
    {Capability::special_use, "SPECIAL-USE", Shown::after_login},
    {Capability::create_special_use, "CREATE-SPECIAL-USE", Shown::after_login},
    {Capability::list_extended, "LIST-EXTENDED", Shown::after_login},
    {Capability::list_status, "LIST-STATUS", Shown::after_login},
    {Capability::children, "CHILDREN", Shown::after_login},
    {Capability::unselect, "UNSELECT", Shown::after_login},
    {Capability::binary, "BINARY", Shown::after_login},
    {Capability::status_size, "STATUS=SIZE", Shown::after_login},
    {Capability::objectid, "OBJECTID", Shown::after_login},
    {Capability::quota, "QUOTA", Shown::after_login},
    {Capability::utf8_accept, "UTF8=ACCEPT", Shown::after_login},
    {Capability::append_limit, "APPENDLIMIT", Shown::after_login},
    {Capability::multi_append, "MULTIAPPEND", Shown::after_login},
    {Capability::save_date, "SAVEDATE", Shown::after_login},
    {Capability::compress_deflate, "COMPRESS=DEFLATE", Shown::after_login},
    {Capability::in_progress, "INPROGRESS", Shown::after_login},
    {Capability::message_limit, "MESSAGELIMIT", Shown::with_number},
    {Capability::notify, "NOTIFY", Shown::after_login},
    {Capability::save_limit, "SAVELIMIT", Shown::with_number},
    {Capability::uid_batches, "UIDBATCHES", Shown::after_login},
    {Capability::uid_only, "UIDONLY", Shown::after_login},
    {Capability::unauthenticate, "UNAUTHENTICATE", Shown::after_login},
    {Capability::preview, "PREVIEW", Shown::after_login},
    {Capability::acl, "ACL", Shown::after_login},
    {Capability::list_my_rights, "LIST-MYRIGHTS", Shown::after_login},
    {Capability::replace, "REPLACE", Shown::after_login},
    {Capability::catenate, "CATENATE", Shown::after_login},
    {Capability::url_partial, "URL-PARTIAL", Shown::after_login},
    {Capability::metadata, "METADATA", Shown::after_login},
    {Capability::metadata_server, "METADATA-SERVER", Shown::after_login},
    {Capability::list_metadata, "LIST-METADATA", Shown::after_login},
    {Capability::quota_set, "QUOTASET", Shown::after_login},
    {Capability::sort, "SORT", Shown::after_login},
    {Capability::sort_display, "SORT=DISPLAY", Shown::after_login},
    {Capability::esort, "ESORT", Shown::after_login},
    {Capability::thread_subject, "THREAD=ORDEREDSUBJECT", Shown::after_login},
    {Capability::thread_references, "THREAD=REFERENCES", Shown::after_login},
    {Capability::thread_refs, "THREAD=REFS", Shown::after_login},
    {Capability::i18n_level, "I18NLEVEL=1", Shown::after_login},
    {Capability::partial, "PARTIAL", Shown::after_login},
    {Capability::context_search, "CONTEXT=SEARCH", Shown::after_login},
    {Capability::context_sort, "CONTEXT=SORT", Shown::after_login},
    {Capability::search_fuzzy, "SEARCH=FUZZY", Shown::after_login},
    {Capability::multi_search, "MULTISEARCH", Shown::after_login},
    {Capability::filters, "FILTERS", Shown::after_login},
    {Capability::auth_scram_plus, "AUTH=SCRAM-SHA-256-PLUS", Shown::as_mechanism},
    {Capability::auth_scram, "AUTH=SCRAM-SHA-256", Shown::as_mechanism},
    {Capability::auth_plain, "AUTH=PLAIN", Shown::as_mechanism},
    {Capability::auth_login, "AUTH=LOGIN", Shown::as_mechanism},
};

void add(std::string& out, std::string_view name) {
    out += ' ';
    out += name;
}

}  // namespace

void Capabilities::hide(std::span<const std::string> names) {
    for (const std::string& name : names) {
        for (const Row& row : kRows) {
            if (text::iequals(row.name, name)) hidden_.set(static_cast<std::size_t>(row.capability));
        }
    }
    // RFC 7162, 3.2.3: QRESYNC includes CONDSTORE.
    if (!has(Capability::condstore)) hidden_.set(static_cast<std::size_t>(Capability::qresync));
    // Contexts hold PARTIAL (RFC 5267, 4.4).
    if (!has(Capability::partial)) {
        for (const Capability with : {Capability::context_search, Capability::context_sort})
            hidden_.set(static_cast<std::size_t>(with));
    }
    // What is about SORT goes with it (RFC 5267, 4.1; RFC 5957, 1).
    if (!has(Capability::sort)) {
        for (const Capability with : {Capability::sort_display, Capability::esort, Capability::context_sort})
            hidden_.set(static_cast<std::size_t>(with));
    }
}

void Capabilities::write_before_login(std::string& out, const BeforeLogin& state) const {
    out += "CAPABILITY";
    for (const Row& row : kRows) {
        if (row.shown == Shown::always && has(row.capability)) add(out, row.name);
    }
    if (state.starttls) add(out, "STARTTLS");
    if (state.login_disabled) add(out, "LOGINDISABLED");
    for (const std::string_view mechanism : state.mechanisms) {
        out += " AUTH=";
        out += mechanism;
    }
}

void Capabilities::write_after_login(std::string& out, std::uint64_t append_limit, Limits limits) const {
    out += "CAPABILITY";
    for (const Row& row : kRows) {
        if (row.shown == Shown::as_mechanism || !has(row.capability)) continue;
        if (row.shown == Shown::with_number) {
            // RFC 9738, 3: SAVELIMIT in place of MESSAGELIMIT, never both.
            const bool saves_only = limits.messages == 0;
            const std::uint32_t limit = saves_only ? limits.saved : limits.messages;
            if (limit == 0 || saves_only != (row.capability == Capability::save_limit)) continue;
            add(out, row.name);
            out += '=';
            proto::write_number(out, limit);
            continue;
        }
        add(out, row.name);
        if (row.capability == Capability::append_limit) {
            out += '=';
            proto::write_number(out, append_limit);
        } else if (row.capability == Capability::quota) {
            out += " QUOTA=RES-STORAGE QUOTA=RES-MESSAGE QUOTA=RES-MAILBOX";
        } else if (row.capability == Capability::acl) {
            out += " RIGHTS=texk";
        }
    }
}

}  // namespace mailstead::imapd
