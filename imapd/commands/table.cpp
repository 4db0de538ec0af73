#include "imapd/commands/table.h"

#include <algorithm>
#include <array>

#include "imapd/commands/commands.h"

namespace mailstead::imapd {
namespace {

using proto::FetchKind;
using proto::SearchOp;
using proto::Verb;

constexpr CommandRow kRows[] = {
    {Verb::append, Legal::logged_in, commands::append},
    {Verb::authenticate, Legal::logged_in, commands::only_before_login},
    {Verb::cancelupdate, Legal::selected, commands::cancel_update},
    {Verb::capability, Legal::logged_in, commands::capability},
    {Verb::check, Legal::selected, commands::noop},
    {Verb::close, Legal::selected, commands::close},
    {Verb::compress, Legal::logged_in, commands::compress},
    {Verb::copy, Legal::selected, commands::copy},
    {Verb::create, Legal::logged_in, commands::create},
    {Verb::delete_, Legal::logged_in, commands::delete_mailbox},
    {Verb::deleteacl, Legal::logged_in, commands::setacl},
    {Verb::enable, Legal::logged_in, commands::enable},
    {Verb::esearch, Legal::logged_in, commands::search_mailboxes},
    {Verb::examine, Legal::logged_in, commands::select},
    {Verb::expunge, Legal::writable, commands::expunge},
    {Verb::fetch, Legal::selected, commands::fetch},
    {Verb::getacl, Legal::logged_in, commands::getacl},
    {Verb::getmetadata, Legal::logged_in, commands::getmetadata},
    {Verb::getquota, Legal::logged_in, commands::getquota},
    {Verb::getquotaroot, Legal::logged_in, commands::getquotaroot},
    {Verb::id, Legal::logged_in, commands::id},
    {Verb::idle, Legal::logged_in, commands::idle},
    {Verb::list, Legal::logged_in, commands::list},
    {Verb::listrights, Legal::logged_in, commands::listrights},
    {Verb::login, Legal::logged_in, commands::only_before_login},
    {Verb::logout, Legal::logged_in, commands::logout},
    {Verb::lsub, Legal::logged_in, commands::list},
    {Verb::move, Legal::writable, commands::copy},
    {Verb::myrights, Legal::logged_in, commands::myrights},
    {Verb::namespace_, Legal::logged_in, commands::name_space},
    {Verb::noop, Legal::logged_in, commands::noop},
    {Verb::notify, Legal::logged_in, commands::notify},
    {Verb::rename, Legal::logged_in, commands::rename},
    {Verb::replace, Legal::writable, commands::replace},
    {Verb::search, Legal::selected, commands::search},
    {Verb::select, Legal::logged_in, commands::select},
    {Verb::setacl, Legal::logged_in, commands::setacl},
    {Verb::setmetadata, Legal::logged_in, commands::setmetadata},
    {Verb::setquota, Legal::logged_in, commands::setquota},
    {Verb::sort, Legal::selected, commands::search},
    {Verb::starttls, Legal::logged_in, commands::only_before_login},
    {Verb::status, Legal::logged_in, commands::status},
    {Verb::store, Legal::writable, commands::store_flags},
    {Verb::subscribe, Legal::logged_in, commands::subscribe},
    {Verb::uidbatches, Legal::selected, commands::uid_batches},
    {Verb::unauthenticate, Legal::logged_in, commands::unauthenticate},
    {Verb::thread, Legal::selected, commands::thread},
    {Verb::unselect, Legal::selected, commands::unselect},
    {Verb::unsubscribe, Legal::logged_in, commands::subscribe},
};

// Calls `need(capability)` for each capability that the command makes use of.
template <class Need>
class Needs {
public:
    explicit Needs(Need need) : need_(need) {}

    void operator()(const proto::Nothing&) const {}
    template <class T>
    void operator()(const T&) const {}

    void operator()(const proto::Enable&) const { need_(Capability::enable); }
    void operator()(const proto::IdParameters&) const { need_(Capability::id); }
    void operator()(const proto::AclArguments&) const { need_(Capability::acl); }
    void operator()(const proto::QuotaRoot&) const { need_(Capability::quota); }
    void operator()(const proto::Compress&) const { need_(Capability::compress_deflate); }
    void operator()(const proto::Notify&) const { need_(Capability::notify); }
    void operator()(const proto::UidBatches&) const { need_(Capability::uid_batches); }
    void operator()(const proto::SetQuota&) const { need_(Capability::quota_set); }
    void operator()(const proto::GetMetadata& g) const {
        need_(g.mailbox ? Capability::metadata : Capability::metadata_server);
    }
    void operator()(const proto::SetMetadata& s) const {
        need_(s.mailbox ? Capability::metadata : Capability::metadata_server);
    }
    void operator()(const proto::Append& a) const {
        if (a.catenates()) need_(Capability::catenate);
        if (a.messages.size() > 1) need_(Capability::multi_append);
    }
    void operator()(const proto::Replace& r) const {
        need_(Capability::replace);
        (*this)(r.append);
    }
    void operator()(const proto::Select& s) const {
        if (s.condstore) need_(Capability::condstore);
        if (s.qresync) need_(Capability::qresync);
    }
    void operator()(const proto::Create& c) const {
        if (!c.special_uses.empty()) need_(Capability::create_special_use);
    }
    void operator()(const proto::List& l) const {
        if (l.extended) need_(Capability::list_extended);
        if (l.return_status) {
            need_(Capability::list_status);
            status(*l.return_status);
        }
        if (l.special_use_only || l.return_special_use) need_(Capability::special_use);
        if (l.return_children) need_(Capability::children);
        if (l.return_my_rights) need_(Capability::list_my_rights);
        if (l.return_metadata) need_(Capability::list_metadata);
    }
    void operator()(const proto::Status& s) const { status(s.items); }
    void operator()(const proto::Expunge& e) const {
        if (e.uids) need_(Capability::uidplus);
    }
    void operator()(const proto::Copy& c) const {
        if (c.move) need_(Capability::move);
    }
    void operator()(const proto::Store& s) const {
        if (s.unchanged_since) need_(Capability::condstore);
    }
    void operator()(const proto::Search& s) const {
        const bool sorted = s.kind == proto::Search::Kind::sort;
        if (s.kind == proto::Search::Kind::multiple) need_(Capability::multi_search);
        if (sorted) need_(Capability::sort);
        if (s.kind == proto::Search::Kind::thread) need_(capability_of(s.algorithm));
        for (const proto::SortCriterion criterion : s.criteria) sort_key(criterion.key);
        if (s.result.extended) need_(sorted ? Capability::esort : Capability::esearch);
        if (s.result.save) need_(Capability::searchres);
        if (s.result.context || s.result.update)
            need_(sorted ? Capability::context_sort : Capability::context_search);
        if (s.result.partial) need_(Capability::partial);
        if (s.result.relevancy) need_(Capability::search_fuzzy);
        const std::pair<SearchOp, Capability> table[] = {
            {SearchOp::mod_seq, Capability::condstore},  {SearchOp::older, Capability::within},
            {SearchOp::younger, Capability::within},     {SearchOp::email_id, Capability::objectid},
            {SearchOp::thread_id, Capability::objectid}, {SearchOp::saved_before, Capability::save_date},
            {SearchOp::saved_on, Capability::save_date}, {SearchOp::saved_since, Capability::save_date},
            {SearchOp::fuzzy, Capability::search_fuzzy}, {SearchOp::filter, Capability::filters},
        };
        for (const auto& [op, capability] : table) {
            if (s.key.contains(op)) need_(capability);
        }
    }
    void operator()(const proto::Fetch& f) const {
        if (f.changed_since) need_(Capability::condstore);
        if (f.vanished) need_(Capability::qresync);
        if (f.partial) need_(Capability::partial);
        for (const proto::FetchItem& item : f.items) fetch_item(item.kind);
    }

private:
    static Capability capability_of(proto::ThreadAlgorithm algorithm) {
        switch (algorithm) {
            case proto::ThreadAlgorithm::references:
                return Capability::thread_references;
            case proto::ThreadAlgorithm::refs:
                return Capability::thread_refs;
            default:
                return Capability::thread_subject;
        }
    }
    void sort_key(proto::SortKey key) const {
        if (key == proto::SortKey::display_from || key == proto::SortKey::display_to)
            need_(Capability::sort_display);
        if (key == proto::SortKey::relevancy) need_(Capability::search_fuzzy);
    }
    void status(const proto::StatusItems& s) const {
        if (s.highest_mod_seq) need_(Capability::condstore);
        if (s.size) need_(Capability::status_size);
        if (s.append_limit) need_(Capability::append_limit);
        if (s.mailbox_id) need_(Capability::objectid);
        if (s.deleted_storage) need_(Capability::quota);
    }
    void fetch_item(FetchKind kind) const {
        switch (kind) {
            case FetchKind::mod_seq:
                return need_(Capability::condstore);
            case FetchKind::email_id:
            case FetchKind::thread_id:
                return need_(Capability::objectid);
            case FetchKind::save_date:
                return need_(Capability::save_date);
            case FetchKind::preview:
                return need_(Capability::preview);
            case FetchKind::binary:
            case FetchKind::binary_size:
                return need_(Capability::binary);
            default:
                return;
        }
    }
    Need need_;
};

std::optional<Capability> capability_of(Verb verb) {
    switch (verb) {
        case Verb::idle:
            return Capability::idle;
        case Verb::namespace_:
            return Capability::namespace_;
        case Verb::unauthenticate:
            return Capability::unauthenticate;
        case Verb::unselect:
            return Capability::unselect;
        case Verb::getacl:
        case Verb::myrights:
            return Capability::acl;
        case Verb::getquotaroot:
            return Capability::quota;
        case Verb::cancelupdate:
            return Capability::context_search;
        default:
            return std::nullopt;
    }
}

// A set that names messages by their numbers; "$" does not.
bool has_numbers(const proto::SearchKey& key) {
    if (key.op == SearchOp::sequence) return !key.set.is_saved_result();
    return std::any_of(key.children.begin(), key.children.end(), has_numbers);
}

bool needs_hidden(const Capabilities& capabilities, const proto::Command& command) {
    bool hidden = false;
    const auto need = [&](Capability c) { hidden = hidden || !capabilities.has(c); };
    if (const auto c = capability_of(command.verb)) need(*c);
    std::visit(Needs(need), command.arguments);
    return hidden;
}

}  // namespace

const CommandRow& row_of(Verb verb) {
    return *std::find_if(std::begin(kRows), std::end(kRows),
                         [verb](const CommandRow& row) { return row.verb == verb; });
}

std::optional<std::string_view> reason_to_refuse(const Session& session, const CommandRow& row,
                                                 const proto::Command& command) {
    if (needs_hidden(session.capabilities, command)) return "Not available";
    if (row.legal != Legal::logged_in && !session.selected) return "Select a mailbox first";
    return std::nullopt;
}

bool allows_expunges(const proto::Command& command) {
    if (const auto* fetch = std::get_if<proto::Fetch>(&command.arguments)) return fetch->uid;
    if (const auto* store = std::get_if<proto::Store>(&command.arguments)) return store->uid;
    if (const auto* search = std::get_if<proto::Search>(&command.arguments)) return search->uid;
    return true;
}

bool expunges(const proto::Command& command) {
    const auto* copy = std::get_if<proto::Copy>(&command.arguments);
    return std::holds_alternative<proto::Expunge>(command.arguments) ||
           std::holds_alternative<proto::Replace>(command.arguments) || (copy != nullptr && copy->move);
}

bool uses_numbers(const proto::Command& command) {
    if (const auto* fetch = std::get_if<proto::Fetch>(&command.arguments)) return !fetch->uid;
    if (const auto* store = std::get_if<proto::Store>(&command.arguments)) return !store->uid;
    if (const auto* copy = std::get_if<proto::Copy>(&command.arguments)) return !copy->uid;
    if (const auto* replace = std::get_if<proto::Replace>(&command.arguments)) return !replace->uid;
    if (const auto* search = std::get_if<proto::Search>(&command.arguments))
        return !search->uid || has_numbers(search->key);
    const auto* select = std::get_if<proto::Select>(&command.arguments);
    return select != nullptr && select->qresync && select->qresync->matched;
}

}  // namespace mailstead::imapd
