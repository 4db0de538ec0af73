#include "imapd/pop3/maildrop.h"

#include <algorithm>
#include <charconv>

#include "common/address/mailbox_name.h"

namespace mailstead::imapd::pop3 {

using store::Fault;
using store::MessageInfo;
using store::Outcome;
using store::Snapshot;
using store::UidRange;
using store::UidSet;

namespace {

void append_number(std::string& out, std::uint64_t number) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, end);
}

}  // namespace

Maildrop::Maildrop(store::AccountReader reader, const store::MailboxInfo& info, store::UidRuns messages)
    : reader_(std::move(reader)),
      mailbox_(info.id),
      uidvalidity_(info.uidvalidity),
      octets_(info.octets),
      messages_(std::move(messages)) {}

Outcome<Maildrop> Maildrop::open(store::AccountReader reader) {
    TRY(now, reader.snapshot());
    TRY(info, now.find(MailboxName::inbox()));
    TRY(runs, now.runs(info.id));
    return Maildrop(std::move(reader), info, std::move(runs));
}

Outcome<Snapshot> Maildrop::snapshot() const {
    TRY(now, reader_.snapshot());
    TRY(info, now.mailbox(mailbox_));
    if (info.uidvalidity != uidvalidity_)
        return store::Failure(Fault::unavailable, "the mailbox was made anew during the session");
    return now;
}

Outcome<std::optional<MessageInfo>> Maildrop::find(std::uint32_t number) const {
    TRY(now, snapshot());
    return now.message(mailbox_, messages_.uid_of(number));
}

std::string Maildrop::unique_id(Uid uid) const {
    std::string id;
    append_number(id, uidvalidity_.value);
    id += '.';
    append_number(id, uid.value);
    return id;
}

Outcome<std::optional<Maildrop::Opened>> Maildrop::open_message(std::uint32_t number) const {
    std::optional<Opened> opened;
    TRY(now, snapshot());
    TRY(info, now.message(mailbox_, messages_.uid_of(number)));
    if (!info) return opened;
    auto file = now.open_message(mailbox_, *info);
    if (!file && file.error().fault == Fault::non_existent) return opened;
    if (!file) return file.error();
    const auto cached = now.cached(info->message);
    // The headers of parts show in the structure: it has another text for clients with UTF-8 where they are
    // not ASCII.
    const bool is_ascii = cached && cached->headers_are_ascii() &&
                          cached->body_structure(true) == cached->body_structure(false);
    opened = Opened{*std::move(file), *info, is_ascii};
    return opened;
}

Outcome<std::uint32_t> Maildrop::write_listing(WriteListing::What what, std::uint32_t from,
                                               store::FunctionRef<bool(std::uint32_t)> is_listed,
                                               std::string& out, std::size_t full) const {
    TRY(now, snapshot());
    std::uint32_t number = from;
    // Messages of one snapshot are a thousand numbers at a time, so that none is held long.
    constexpr std::uint32_t kStep = 1'000;
    while (number <= count() && out.size() < full) {
        const std::uint32_t last = std::min(count() - number, kStep - 1) + number;
        const auto write = [&](const MessageInfo& message) {
            const std::uint32_t n = messages_.number_of(message.uid);
            if (!is_listed(n)) return true;
            append_number(out, n);
            out += ' ';
            if (what == WriteListing::What::sizes) {
                append_number(out, message.size);
            } else {
                append_number(out, uidvalidity_.value);
                out += '.';
                append_number(out, message.uid.value);
            }
            out += "\r\n";
            return true;
        };
        TRY_VOID(now.messages(mailbox_, messages_.uids_of(number, last), write));
        number = last + 1;
        if (last == count()) return 0;
    }
    return number <= count() ? number : 0;
}

store::Expunge Maildrop::removal(const std::vector<bool>& removed) const {
    store::Expunge change;
    change.mailbox = mailbox_;
    change.only_deleted = false;
    UidSet uids;
    for (std::uint32_t number = 1; number <= removed.size(); ++number) {
        if (removed[number - 1]) uids.add(messages_.uid_of(number));
    }
    change.uids = std::move(uids);
    return change;
}

}  // namespace mailstead::imapd::pop3
