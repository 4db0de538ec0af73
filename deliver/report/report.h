// Delivery reports to senders (RFC 3461, RFC 3464): who is told what, and how the report travels.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/commit/engine.h"
#include "common/directory/directory.h"
#include "common/queue/entry.h"
#include "common/smtp/dsn.h"
#include "deliver/queue/outbound_queue.h"

namespace mailstead::deliver {

// What happened to one recipient that its sender may want to hear of.
struct Happening {
    std::uint32_t recipient = 0;  // index in the entry
    smtp::DsnAction action = smtp::DsnAction::failed;
    smtp::EnhancedCode status;
};

// Whether the sender wants to hear of it: never with a null reverse-path (RFC 5321, 4.5.5), else as NOTIFY
// says; without NOTIFY failures and delays (RFC 3461, 4.1).
bool is_wanted(const queue::QueueEntry& entry, const Happening& happening);

// The part that puts a message (file `file`, already described) into a local recipient's mailbox; made by
// deliver/local. Reports are not held back by a full mailbox.
using DepositPart =
    std::function<commit::Part(const ipc::Recipient& recipient, const std::string& fetch_cache,
                               std::uint64_t size, std::uint32_t file, Time at, bool ignore_quota)>;

struct ReporterParts {
    std::filesystem::path data_dir;
    std::string hostname;
    const directory::Directory* directory = nullptr;
    DepositPart deposit;
    QueueLimits limits;
};

class Reporter {
public:
    explicit Reporter(ReporterParts parts) : parts_(std::move(parts)) {}

    // Adds to `transaction` the report about these happenings of `entry` (all of one action, all wanted) and
    // its file. `progress` holds what is known of each recipient by now, by index. `original`: the message's
    // bytes, or its first part when it is large.
    Result<void> add(commit::Transaction& transaction, const queue::QueueEntry& entry,
                     const std::vector<Happening>& happenings, const std::vector<queue::Progress>& progress,
                     std::string_view original, Time now) const;

private:
    smtp::DsnReport describe(const queue::QueueEntry& entry, const std::vector<Happening>& happenings,
                             const std::vector<queue::Progress>& progress, std::string_view original,
                             Time now) const;
    Result<void> address(commit::Transaction& transaction, const queue::QueueEntry& entry,
                         const std::string& text, std::uint32_t file, Time now) const;

    ReporterParts parts_;
};

// A complete message as an unnamed file in the spool of `data_dir`.
Result<commit::MessageFile> spool_message(const std::filesystem::path& data_dir, std::string bytes);

}  // namespace mailstead::deliver
