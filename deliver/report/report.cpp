#include "deliver/report/report.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/mime/headers.h"
#include "common/store/fetch_cache.h"

namespace mailstead::deliver {
namespace {

constexpr std::string_view kReporterLocalPart = "MAILER-DAEMON";

std::string unique_token() {
    return text::hex(random_bytes(16));
}

std::string message_id_of(std::string_view original) {
    return mime::find_value(original, "Message-ID").value_or(std::string{});
}

}  // namespace

bool is_wanted(const queue::QueueEntry& entry, const Happening& happening) {
    if (!entry.envelope.reverse_path) return false;
    const ipc::NotifyFlags notify = entry.recipients[happening.recipient].recipient.notify;
    switch (happening.action) {
        case smtp::DsnAction::failed:
            return notify == 0 || (notify & ipc::kNotifyFailure) != 0;
        case smtp::DsnAction::delayed:
            return notify == 0 || (notify & ipc::kNotifyDelay) != 0;
        case smtp::DsnAction::delivered:
        case smtp::DsnAction::relayed:
        case smtp::DsnAction::expanded:
            return (notify & ipc::kNotifySuccess) != 0;
    }
    return false;
}

Result<commit::MessageFile> spool_message(const std::filesystem::path& data_dir, std::string bytes) {
    commit::MessageFile file;
    file.descriptor =
        FileDescriptor(::open((data_dir / "spool").c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0640));
    if (!file.descriptor)
        return transient_error(std::string("cannot write to the spool: ") + std::strerror(errno));
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t count = ::write(file.descriptor.get(), bytes.data() + done, bytes.size() - done);
        if (count < 0 && errno != EINTR)
            return transient_error(std::string("cannot write to the spool: ") + std::strerror(errno));
        if (count > 0) done += static_cast<std::size_t>(count);
    }
    file.size = bytes.size();
    file.content = std::make_shared<const std::string>(std::move(bytes));
    return file;
}

smtp::DsnReport Reporter::describe(const queue::QueueEntry& entry, const std::vector<Happening>& happenings,
                                   const std::vector<queue::Progress>& progress, std::string_view original,
                                   Time now) const {
    const auto host = Domain::parse(parts_.hostname);
    smtp::DsnReport report{
        .reporter = Address(LocalPart::parse(kReporterLocalPart).value(), host.value()),
        .sender = *entry.envelope.reverse_path,
        .reporting_mta = parts_.hostname,
        .message_id = unique_token() + "@" + parts_.hostname,
        .boundary = unique_token(),
        .date = now,
        .arrival = entry.received,
        .envelope_id = std::nullopt,
        .recipients = {},
        .ret =
            entry.envelope.ret == ipc::ReturnContent::full ? smtp::DsnReturn::full : smtp::DsnReturn::headers,
        .original = original,
        .original_message_id = {},
        .smtputf8 = entry.envelope.smtputf8,
    };
    if (!entry.envelope.envid.empty()) report.envelope_id = entry.envelope.envid;
    for (const Happening& happening : happenings) {
        const ipc::Recipient& recipient = entry.recipients[happening.recipient].recipient;
        const queue::Progress& known = progress[happening.recipient];
        smtp::DsnRecipient row{.final_recipient = recipient.address,
                               .original = std::nullopt,
                               .action = happening.action,
                               .status = happening.status,
                               .remote_mta = known.last_host,
                               .diagnostic = known.last_reply,
                               .explanation = {},
                               .last_attempt = known.last_attempt,
                               .will_retry_until = std::nullopt};
        row.remote_mta = row.remote_mta.substr(0, row.remote_mta.find(' '));
        if (!recipient.orcpt.empty()) row.original = smtp::parse_original_recipient(recipient.orcpt);
        if (happening.action == smtp::DsnAction::delayed) row.will_retry_until = entry.expires;
        report.recipients.push_back(std::move(row));
    }
    return report;
}

Result<void> Reporter::add(commit::Transaction& transaction, const queue::QueueEntry& entry,
                           const std::vector<Happening>& happenings,
                           const std::vector<queue::Progress>& progress, std::string_view original,
                           Time now) const {
    smtp::DsnReport report = describe(entry, happenings, progress, original, now);
    const std::string original_id = message_id_of(original);
    report.original_message_id = original_id;
    std::string text = "Return-Path: <>\r\n" + smtp::compose_dsn(report);
    TRY(file, spool_message(parts_.data_dir, text));
    const auto index = static_cast<std::uint32_t>(transaction.files.size());
    TRY_VOID(address(transaction, entry, text, index, now));
    transaction.files.push_back(std::move(file));
    return {};
}

// A sender here gets the report into the mailbox at once; a sender elsewhere by the queue, like any message.
Result<void> Reporter::address(commit::Transaction& transaction, const queue::QueueEntry& entry,
                               const std::string& text, std::uint32_t file, Time now) const {
    const Address& sender = *entry.envelope.reverse_path;
    MessageFacts facts;
    facts.trace_id = entry.trace_id;
    facts.envelope.reverse_path = std::nullopt;
    facts.envelope.smtputf8 = entry.envelope.smtputf8;
    facts.size = text.size();
    facts.received = now;

    TRY(resolution, parts_.directory->resolve(sender));
    std::vector<ipc::Recipient> remote;
    if (std::holds_alternative<directory::NotOurDomain>(resolution)) {
        remote.push_back(ipc::Recipient{sender, ipc::kNotifyNever, {}, ipc::Remote{sender}});
    } else if (const auto* targets = std::get_if<directory::Targets>(&resolution)) {
        for (const auto& to : targets->remote)
            remote.push_back(ipc::Recipient{sender, ipc::kNotifyNever, {}, ipc::Remote{to}});
        if (!targets->local.empty()) {
            const std::string cache = store::build_fetch_cache(text);
            for (const auto& to : targets->local) {
                const ipc::Recipient recipient{
                    sender, ipc::kNotifyNever, {}, ipc::Local{to.account, to.detail}};
                commit::Part part = parts_.deposit(recipient, cache, text.size(), file, now, true);
                part.otherwise.push_back(enqueue_part(facts, {recipient}, file, parts_.limits));
                transaction.parts.push_back(std::move(part));
            }
        }
    }
    // A sender of ours who exists no more gets no report: there is nobody to read it.
    if (!remote.empty())
        transaction.parts.push_back(enqueue_part(facts, std::move(remote), file, parts_.limits));
    return {};
}

}  // namespace mailstead::deliver
