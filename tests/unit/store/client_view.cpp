#include "tests/unit/store/client_view.h"

#include <algorithm>
#include <functional>
#include <sstream>

namespace mailstead::store {
namespace {

void show_message(std::ostream& out, TestAccount& account, MailboxId mailbox, const MessageInfo& message,
                  const std::vector<std::string>& keywords) {
    out << "  " << message.uid.value << " M" << message.message.value << " "
        << int{message.flags.system.bits()};
    std::vector<std::string> names;
    message.flags.keywords.each([&](std::size_t bit) { names.push_back(keywords.at(bit)); });
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) out << ' ' << name;
    out << " d" << message.internal_date.time_since_epoch().count() << " s"
        << message.save_date.time_since_epoch().count() << " " << message.size << " "
        << std::hash<std::string>()(account.read(mailbox, message.uid));
    const Snapshot at = account.snapshot();
    const auto cached = at.cached(message.message);
    const auto header = at.header(message.message);
    out << " " << (cached ? cached->envelope(true) : "no cache") << (header ? "" : " no header") << '\n';
}

void show_mailbox(std::ostream& out, TestAccount& account, const Snapshot& at, const MailboxInfo& box) {
    out << box.name.utf8() << " #" << box.id.value << " v" << box.uidvalidity.value << " "
        << attribute_of(box.special_use) << " " << box.subscribed << " c"
        << box.created.time_since_epoch().count() << " " << box.messages << "/" << box.unseen << "/"
        << box.deleted << " " << box.octets << "/" << box.deleted_octets << " first "
        << at.first_unseen(box.id).value().value_or(Uid(0)).value << '\n';
    for (const AclEntry& entry : at.acl(box.id).value())
        out << "  acl " << entry.who.value << (entry.negative ? "-" : "+") << entry.rights.bits() << '\n';
    for (const auto& note : at.metadata(box.name).value())
        out << "  " << note.name << "=" << note.value << '\n';
    const auto keywords = at.keywords().value();
    std::vector<MessageInfo> messages;
    at.messages(box.id, UidSet::all(), [&](const MessageInfo& message) {
          messages.push_back(message);
          return true;
      }).value();
    for (const MessageInfo& message : messages) show_message(out, account, box.id, message, keywords);
    out << "  sets " << at.uids(box.id).value().count() << " " << at.unseen(box.id).value().count() << " "
        << at.deleted(box.id).value().count() << '\n';
}

}  // namespace

std::string client_view(TestAccount& account) {
    std::ostringstream out;
    const Snapshot at = account.snapshot();
    const AccountInfo info = at.account().value();
    out << info.messages << " " << info.octets << " " << info.entries << " " << info.mailboxes << " quota "
        << info.quota_octets << " " << info.quota_messages << " " << info.quota_mailboxes << '\n';
    for (const MailboxName& name : at.subscriptions().value()) out << "subscribed " << name.utf8() << '\n';
    for (const auto& note : at.metadata(std::nullopt).value()) out << note.name << "=" << note.value << '\n';
    for (const AccountId who : {kAnyone, AccountId(12), AccountId(13)}) {
        for (const MailboxId mailbox : at.granted_to(who).value())
            out << "granted to " << who.value << ": " << mailbox.value << '\n';
    }
    for (const MailboxInfo& box : at.mailboxes().value()) show_mailbox(out, account, at, box);
    return out.str();
}

}  // namespace mailstead::store
