// A message in the outbound queue: what was asked for, and how far each recipient has come.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/address.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/ipc/envelope.h"
#include "common/ipc/messages.h"

namespace mailstead::queue {

enum class RecipientState : std::uint8_t {
    waiting = 0,
    delivered = 1,  // the next server, or a mailbox here, has it
    failed = 2,     // refused for good
    expired = 3,    // tried for the whole of its lifetime
    removed = 4,    // by the administrator
};
inline bool is_final(RecipientState state) {
    return state != RecipientState::waiting;
}

// One recipient's progress. Changes as attempts are made.
struct Progress {
    RecipientState state = RecipientState::waiting;
    std::uint32_t attempts = 0;
    Time next_attempt{};
    Time last_attempt{};
    std::string last_host;   // `mx.example.org [192.0.2.1]`; empty before the first attempt reached one
    std::string last_reply;  // `451 4.7.1 try later`, or our own words when nobody answered
    bool delay_reported = false;
};

struct QueuedRecipient {
    ipc::Recipient recipient;
    Progress progress;
};

struct QueueEntry {
    QueueId id;
    std::string trace_id;
    ipc::Envelope envelope;  // without recipients: they are below
    std::vector<QueuedRecipient> recipients;
    ipc::Service service = ipc::Service::submission;
    AccountId account;  // who submitted it; zero for reports of our own and forwarded mail
    std::uint64_t size = 0;
    Time received{};
    Time expires{};
    Time delay_notice{};  // from then on a waiting recipient's sender is told once
    bool held = false;

    bool is_report() const { return !envelope.reverse_path; }
};

// Where an entry's message lies, relative to the data folder.
std::string spool_path(QueueId id);

// `Domain` of a remote recipient in ASCII; `local` for a mailbox here: what goes over one connection.
std::string destination_of(const ipc::Recipient& recipient);

std::string encode(const QueueEntry& entry);
Parsed<QueueEntry> decode_entry(QueueId id, std::string_view bytes);

}  // namespace mailstead::queue
