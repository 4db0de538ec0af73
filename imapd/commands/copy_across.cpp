// Between accounts a message is appended anew: ids, threads, keywords and quota are of the account it comes
// to. Its file goes along as a descriptor, of which the writer makes one more name where the file system
// allows it.
#include "imapd/commands/copy_across.h"

namespace mailstead::imapd::commands {
namespace {

using store::Failure;
using store::Fault;
using store::Outcome;
using store::UidSet;

// One commit's worth: descriptors of one frame to the writer, and what it reads at once.
constexpr std::size_t kFilesAtOnce = 50;
constexpr std::uint64_t kBytesAtOnce = 32 * 1024 * 1024;

struct Parcel {
    UidSet sources;
    store::Append change;
    std::vector<FileDescriptor> files;
    std::uint64_t bytes = 0;

    bool is_full() const { return files.size() >= kFilesAtOnce || bytes >= kBytesAtOnce; }
};

store::FlagList flags_by_name(const store::Flags& flags, const std::vector<std::string>& names) {
    store::FlagList list;
    list.system = flags.system;
    flags.keywords.each([&](std::size_t n) {
        if (n < names.size()) list.keywords.push_back(names[n]);
    });
    return list;
}

// Takes the next messages out of `left`. What was expunged meanwhile is passed over.
Outcome<Parcel> pack(const Selected& view, const Place& to, UidSet& left) {
    TRY(now, view.snapshot());
    TRY(names, now.keywords());
    const store::FlagScope scope = to.rights.changeable_flags();  // RFC 4314, 4
    Parcel parcel;
    parcel.change.to.name = to.name;
    std::optional<Failure> failure;
    const auto add = [&](const store::MessageInfo& message) {
        auto file = now.open_message(view.info.id, message);
        if (!file) {
            if (file.error().fault != Fault::non_existent) failure = file.error();
            return !failure;
        }
        store::NewMessage copy;
        copy.flags = scope.within(flags_by_name(message.flags, names));
        copy.internal_date = message.internal_date;
        copy.size = file->size;
        copy.file = static_cast<std::uint32_t>(parcel.files.size());
        parcel.sources.add(message.uid);
        parcel.bytes += file->size;
        parcel.change.messages.push_back(std::move(copy));
        parcel.files.push_back(std::move(file->descriptor));
        return !parcel.is_full();
    };
    TRY_VOID(now.messages(view.info.id, left, add));
    if (failure) return *std::move(failure);
    if (parcel.is_full()) {
        left.remove(store::UidRange{1, parcel.sources.last().value});
    } else {
        left.clear();
    }
    return parcel;
}

net::Task<Outcome<store::ChangeResult>> take_out(Session& session, AccountId account, MailboxId mailbox,
                                                 UidSet uids) {
    store::Expunge change;
    change.mailbox = mailbox;
    change.uids = std::move(uids);
    change.only_deleted = false;
    store::Action action = std::move(change);
    co_return co_await session.apply(account, std::move(action));
}

// Sends parcel after parcel. On a failure `copied` says what went before.
net::Task<Outcome<void>> send_all(Session& session, const Place& to, UidSet left, store::Copied& copied) {
    while (!left.empty()) {
        auto parcel = pack(*session.selected, to, left);
        if (!parcel) co_return parcel.error();
        if (parcel->files.empty()) continue;
        store::Action action = std::move(parcel->change);
        const auto done = co_await session.apply(to.account, std::move(action), std::move(parcel->files));
        if (!done) co_return done.error();
        const auto* appended = std::get_if<store::Appended>(&*done);
        if (appended == nullptr) co_return Failure(Fault::invalid, "an answer to something else");
        const bool another = copied.mailbox && copied.mailbox != appended->mailbox;
        copied.mailbox = appended->mailbox;
        copied.uidvalidity = appended->uidvalidity;
        // Deleted and made again between two parcels: what went before is gone with it.
        if (another) copied.destination.clear();
        for (const store::UidRange range : appended->uids.ranges()) copied.destination.add(range);
        if (another) co_return Failure(Fault::try_create, "the mailbox was deleted");
        for (const store::UidRange range : parcel->sources.ranges()) copied.source.add(range);
    }
    co_return Outcome<void>();
}

}  // namespace

net::Task<Outcome<store::Copied>> copy_across(Session& session, UidSet uids, Place to, bool move) {
    store::Copied copied;
    const auto sent = co_await send_all(session, to, std::move(uids), copied);
    if (!sent) {
        // RFC 9051, 6.4.7: all or nothing.
        if (!copied.destination.empty())
            (void)co_await take_out(session, to.account, copied.mailbox, std::move(copied.destination));
        co_return sent.error();
    }
    if (!move || copied.source.empty()) co_return copied;
    const AccountId account = session.selected->account;
    const auto gone = co_await take_out(session, account, session.selected->info.id, copied.source);
    // Whether they are gone is not known then, so that the copies stay.
    if (!gone) co_return gone.error();
    if (const auto* expunged = std::get_if<store::Expunged>(&*gone)) copied.modseq = expunged->modseq;
    co_return copied;
}

}  // namespace mailstead::imapd::commands
