// What NOTIFY asks for (RFC 5465).
#pragma once

#include <cstdint>
#include <vector>

#include "common/address/mailbox_name.h"
#include "imapd/proto/fetch_items.h"

namespace mailstead::imapd::proto {

inline constexpr std::size_t kMaxNotifyGroups = 32;
inline constexpr std::size_t kMaxNotifyNames = 500;  // in all groups together

enum class NotifyEvent : std::uint8_t {
    message_new = 1,
    message_expunge = 2,
    flag_change = 4,
    mailbox_name = 8,
    subscription_change = 16,
    mailbox_metadata_change = 32,
    server_metadata_change = 64
};

// A set of NotifyEvent.
class NotifyEvents {
public:
    void add(NotifyEvent event) { bits_ |= static_cast<std::uint8_t>(event); }
    void add(NotifyEvents others) { bits_ |= others.bits_; }
    bool has(NotifyEvent event) const { return (bits_ & static_cast<std::uint8_t>(event)) != 0; }
    bool empty() const { return bits_ == 0; }
    // Any <message-event>.
    bool about_messages() const { return (bits_ & 7) != 0; }
    friend bool operator==(NotifyEvents, NotifyEvents) = default;

private:
    std::uint8_t bits_ = 0;
};

// RFC 5465, 8: event-group
struct NotifyGroup {
    enum class Filter : std::uint8_t {
        selected,
        selected_delayed,
        inboxes,
        personal,
        subscribed,
        subtree,
        mailboxes
    };
    Filter filter = Filter::personal;
    std::vector<MailboxName> names;  // of subtree and mailboxes
    NotifyEvents events;
    std::vector<FetchItem> new_message_items;  // of selected and selected_delayed
};

struct Notify {
    bool none = false;    // NOTIFY NONE
    bool status = false;  // the client wants to be told how things stand now
    std::vector<NotifyGroup> groups;
};

}  // namespace mailstead::imapd::proto
