#include "imapd/session/capabilities.h"

#include "common/base/text.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd {
namespace {

struct Row {
    Capability capability;
    std::string_view name;  // as announced
    bool before_login;
};
constexpr Row kRows[] = {
    {Capability::imap4rev1, "IMAP4rev1", true},
    {Capability::imap4rev2, "IMAP4rev2", true},
    {Capability::literal_plus, "LITERAL+", true},
    {Capability::sasl_ir, "SASL-IR", true},
    {Capability::enable, "ENABLE", true},
    {Capability::id, "ID", true},
    {Capability::idle, "IDLE", false},
    {Capability::namespace_, "NAMESPACE", false},
    {Capability::uidplus, "UIDPLUS", false},
    {Capability::move, "MOVE", false},
    {Capability::condstore, "CONDSTORE", false},
    {Capability::qresync, "QRESYNC", false},
    {Capability::esearch, "ESEARCH", false},
    {Capability::searchres, "SEARCHRES", false},
    {Capability::within, "WITHIN", false},
    {Capability::special_use, "SPECIAL-USE", false},
    {Capability::create_special_use, "CREATE-SPECIAL-USE", false},
    {Capability::list_extended, "LIST-EXTENDED", false},
    {Capability::list_status, "LIST-STATUS", false},
    {Capability::children, "CHILDREN", false},
    {Capability::unselect, "UNSELECT", false},
    {Capability::binary, "BINARY", false},
    {Capability::status_size, "STATUS=SIZE", false},
    {Capability::objectid, "OBJECTID", false},
    {Capability::quota, "QUOTA", false},
    {Capability::utf8_accept, "UTF8=ACCEPT", false},
    {Capability::append_limit, "APPENDLIMIT", false},
    {Capability::multi_append, "MULTIAPPEND", false},
    {Capability::save_date, "SAVEDATE", false},
    {Capability::preview, "PREVIEW", false},
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
}

void Capabilities::write_before_login(std::string& out, const BeforeLogin& state) const {
    out += "CAPABILITY";
    for (const Row& row : kRows) {
        if (row.before_login && has(row.capability)) add(out, row.name);
    }
    if (state.starttls) add(out, "STARTTLS");
    if (state.login_disabled) add(out, "LOGINDISABLED");
    for (const std::string_view mechanism : state.mechanisms) {
        out += " AUTH=";
        out += mechanism;
    }
}

void Capabilities::write_after_login(std::string& out, std::uint64_t append_limit) const {
    out += "CAPABILITY";
    for (const Row& row : kRows) {
        if (!has(row.capability)) continue;
        add(out, row.name);
        if (row.capability == Capability::append_limit) {
            out += '=';
            proto::write_number(out, append_limit);
        } else if (row.capability == Capability::quota) {
            out += " QUOTA=RES-STORAGE";
        }
    }
}

}  // namespace mailstead::imapd
