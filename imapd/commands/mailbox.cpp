// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS.
#include "imapd/commands/commands.h"
#include "imapd/commands/ids.h"

namespace mailstead::imapd::commands {

// RFC 9051, 6.3.4; RFC 6154, 3. Missing parents are made by the store: a hole in the tree loses mail in some
// clients.
net::Task<Reply> create(Session& session, Command& command) {
    auto& wanted = std::get<proto::Create>(command.arguments);
    const auto place = co_await session.locate(wanted.mailbox);
    const bool nowhere = !place && place.error().fault == store::Fault::non_existent;
    if (!place && !nowhere) co_return reply_to(place.error());
    // RFC 4314, 4. The same answer whether the account exists or not.
    if (nowhere || !place->rights_above.has(store::Right::create))
        co_return no("You may not make mailboxes there", "NOPERM");
    store::CreateMailbox change;
    change.name = place->name;
    if (!place->own && !wanted.special_uses.empty())
        co_return no("Special uses are the owner's to give", "USEATTR");
    if (wanted.special_uses.size() > 1) co_return no("One special use only", "USEATTR");
    if (!wanted.special_uses.empty()) {
        const auto use = store::special_use_of(wanted.special_uses.front());
        if (!use) co_return no("Not a special use here", "USEATTR");
        change.special_use = *use;
    }
    store::Action action = std::move(change);
    const auto made = co_await session.apply(place->account, std::move(action));
    if (!made) co_return reply_to(made.error());
    std::string code;
    if (const auto* mailbox = std::get_if<store::MailboxMade>(&*made)) {
        code = "MAILBOXID (";  // RFC 8474, 4.1
        write_id(code, mailbox->mailbox, place->id_scope());
        code += ')';
    }
    co_return ok("Created", session.capabilities.has(Capability::objectid) ? std::move(code) : std::string());
}

net::Task<Reply> delete_mailbox(Session& session, Command& command) {
    const MailboxName& name = std::get<proto::OneMailbox>(command.arguments).mailbox;
    const auto place = co_await session.locate(name);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal(*place, store::Right::remove)) co_return *std::move(refused);
    const bool was_selected = session.selected && session.selected->account == place->account &&
                              session.selected->info.id == place->mailbox->id;
    store::Action action = store::DeleteMailbox{place->name};
    const auto done = co_await session.apply(place->account, std::move(action));
    if (!done) co_return reply_to(done.error());
    if (was_selected) {
        session.unselect();
        session.out() += "* OK [CLOSED] It was the selected one\r\n";
    }
    co_return ok("Deleted");
}

net::Task<Reply> rename(Session& session, Command& command) {
    auto& names = std::get<proto::Rename>(command.arguments);
    const auto from = co_await session.locate(names.from);
    if (!from) co_return reply_to(from.error());
    if (auto refused = refusal(*from, store::Right::remove)) co_return *std::move(refused);
    const auto to = co_await session.locate(names.to);
    const bool nowhere = !to && to.error().fault == store::Fault::non_existent;
    if (!to && !nowhere) co_return reply_to(to.error());
    // RFC 4314, 4: "k" where it goes. The same answer whether the account exists or not.
    if (nowhere || !to->rights_above.has(store::Right::create))
        co_return no("You may not make mailboxes there", "NOPERM");
    if (to->account != from->account)
        co_return no("A mailbox stays with its owner; copy its messages instead", "CANNOT");
    // It would empty the INBOX, which stays (RFC 9051, 6.3.6).
    if (!from->own && from->name.is_inbox()) co_return no("Only its owner may do that", "NOPERM");
    store::Action action = store::RenameMailbox{from->name, to->name};
    const auto done = co_await session.apply(from->account, std::move(action));
    if (!done) co_return reply_to(done.error());
    co_return ok("Renamed");
}

net::Task<Reply> subscribe(Session& session, Command& command) {
    const bool wanted = command.verb == proto::Verb::subscribe;
    const MailboxName& name = std::get<proto::OneMailbox>(command.arguments).mailbox;
    // No right is needed, since nobody asks whether the mailbox exists (RFC 4314, 4).
    store::Action action = store::Subscribe{name, wanted};
    const auto done = co_await session.apply(session.account, std::move(action));
    if (!done) co_return reply_to(done.error());
    co_return ok(wanted ? "Subscribed" : "Unsubscribed");
}

void write_status(std::string& out, const proto::StatusItems& items, const store::MailboxInfo& mailbox,
                  std::uint64_t append_limit, AccountId id_scope) {
    bool first = true;
    const auto number = [&](bool wanted, std::string_view name, std::uint64_t value) {
        if (!wanted) return;
        if (!first) out += ' ';
        first = false;
        out += name;
        out += ' ';
        proto::write_number(out, value);
    };
    number(items.messages, "MESSAGES", mailbox.messages);
    number(items.recent, "RECENT", 0);
    number(items.uidnext, "UIDNEXT", mailbox.uidnext.value);
    number(items.uidvalidity, "UIDVALIDITY", mailbox.uidvalidity.value);
    number(items.unseen, "UNSEEN", mailbox.unseen);
    number(items.deleted, "DELETED", mailbox.deleted);
    number(items.deleted_storage, "DELETED-STORAGE",
           mailbox.deleted_octets / 1024 + (mailbox.deleted_octets % 1024 != 0 ? 1 : 0));
    number(items.size, "SIZE", mailbox.octets);
    number(items.highest_mod_seq, "HIGHESTMODSEQ", mailbox.highestmodseq.value);
    number(items.append_limit, "APPENDLIMIT", append_limit);
    if (!items.mailbox_id) return;
    if (!first) out += ' ';
    out += "MAILBOXID (";
    write_id(out, mailbox.id, id_scope);
    out += ')';
}

net::Task<Reply> status(Session& session, Command& command) {
    const auto& wanted = std::get<proto::Status>(command.arguments);
    if (wanted.items.highest_mod_seq) session.enable_condstore();  // RFC 7162, 3.1
    const auto place = co_await session.locate(wanted.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal(*place, store::Right::read)) co_return *std::move(refused);
    std::string& out = session.out();
    out += "* STATUS ";
    proto::write_mailbox(out, wanted.mailbox, session.enabled.strings());
    out += " (";
    write_status(out, wanted.items, *place->mailbox, session.backend.append_limit(), place->id_scope());
    out += ")\r\n";
    co_return ok("That is all");
}

}  // namespace mailstead::imapd::commands
