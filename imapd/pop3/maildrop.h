// INBOX as a POP3 client sees it: the messages of the moment when it logged in, by number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/store/store.h"
#include "imapd/pop3/core/actions.h"

namespace mailstead::imapd::pop3 {

// Keeps which UIDs there were, as ranges; everything else is looked up when it is asked for. There is no lock
// (RFC 1939, 8 would have one): a message that another session removes meanwhile is gone for this one, too,
// and no number ever means another message. One thread.
class Maildrop {
public:
    static store::Outcome<Maildrop> open(store::AccountReader reader);

    std::uint32_t count() const { return messages_.count(); }
    // Of all messages at login.
    std::uint64_t octets() const { return octets_; }

    // nullopt: it is no more.
    store::Outcome<std::optional<store::MessageInfo>> find(std::uint32_t number) const;
    // Stable for ever: `uidvalidity.uid` (RFC 1939, 7).
    std::string unique_id(Uid uid) const;

    struct Opened {
        store::OpenMessage file;
        store::MessageInfo info;
        // Whether its headers are ASCII; false also when nobody knows.
        bool is_ascii = false;
    };
    // nullopt: it is no more.
    store::Outcome<std::optional<Opened>> open_message(std::uint32_t number) const;

    // Lines `number size` or `number unique-id` from message `from` on, of those that `is_listed`, until
    // `out` has grown to `full`. The number to go on with; 0 at the end.
    store::Outcome<std::uint32_t> write_listing(WriteListing::What what, std::uint32_t from,
                                                store::FunctionRef<bool(std::uint32_t)> is_listed,
                                                std::string& out, std::size_t full) const;

    // The change that removes the messages: element n is message n + 1.
    store::Expunge removal(const std::vector<bool>& removed) const;

private:
    Maildrop(store::AccountReader reader, const store::MailboxInfo& info, store::UidRuns messages);
    // A snapshot in which the mailbox is still the same one.
    store::Outcome<store::Snapshot> snapshot() const;

    store::AccountReader reader_;
    MailboxId mailbox_;
    UidValidity uidvalidity_;
    std::uint64_t octets_ = 0;
    store::UidRuns messages_;
};

}  // namespace mailstead::imapd::pop3
