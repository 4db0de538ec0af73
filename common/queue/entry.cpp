#include "common/queue/entry.h"

#include "common/base/bytes.h"
#include "common/queue/codec.h"

namespace mailstead::queue {
namespace {

constexpr std::uint8_t kEntryFormat = 1;

}  // namespace

std::string spool_path(QueueId id) {
    return "spool/queue-" + std::to_string(id.value);
}

std::string destination_of(const ipc::Recipient& recipient) {
    const auto* remote = std::get_if<ipc::Remote>(&recipient.target);
    return remote ? remote->address.domain().ascii() : "local";
}

void write_progress(ByteWriter& out, const Progress& progress) {
    out.u8(static_cast<std::uint8_t>(progress.state));
    out.varint(progress.attempts);
    write_time(out, progress.next_attempt);
    write_time(out, progress.last_attempt);
    out.string(progress.last_host);
    out.string(progress.last_reply);
    out.boolean(progress.delay_reported);
}

Parsed<Progress> read_progress(ByteReader& in) {
    Progress progress;
    const std::uint8_t state = in.u8();
    if (state > static_cast<std::uint8_t>(RecipientState::removed))
        return ParseError{"unknown recipient state", 0};
    progress.state = static_cast<RecipientState>(state);
    progress.attempts = in.varint32();
    progress.next_attempt = read_time(in);
    progress.last_attempt = read_time(in);
    progress.last_host = in.string();
    progress.last_reply = in.string();
    progress.delay_reported = in.boolean();
    if (!in.ok()) return ParseError{"progress of a recipient is cut short", 0};
    return progress;
}

std::string encode(const QueueEntry& entry) {
    ByteWriter out;
    out.u8(kEntryFormat);
    out.string(entry.trace_id);
    ipc::Envelope envelope = entry.envelope;
    envelope.recipients.clear();
    for (const auto& each : entry.recipients) envelope.recipients.push_back(each.recipient);
    ipc::write_envelope(out, envelope);
    for (const auto& each : entry.recipients) write_progress(out, each.progress);
    out.u8(static_cast<std::uint8_t>(entry.service));
    out.varint(entry.account.value);
    out.varint(entry.size);
    write_time(out, entry.received);
    write_time(out, entry.expires);
    write_time(out, entry.delay_notice);
    out.boolean(entry.held);
    return out.take();
}

Parsed<QueueEntry> decode_entry(QueueId id, std::string_view bytes) {
    ByteReader in(bytes);
    if (in.u8() != kEntryFormat) return ParseError{"queue entry of a newer format", 0};
    QueueEntry entry;
    entry.id = id;
    entry.trace_id = in.string();
    TRY(envelope, ipc::read_envelope(in));
    for (auto& recipient : envelope.recipients) {
        TRY(progress, read_progress(in));
        entry.recipients.push_back({std::move(recipient), std::move(progress)});
    }
    envelope.recipients.clear();
    entry.envelope = std::move(envelope);
    entry.service = static_cast<ipc::Service>(in.u8());
    entry.account = AccountId(in.varint32());
    entry.size = in.varint();
    entry.received = read_time(in);
    entry.expires = read_time(in);
    entry.delay_notice = read_time(in);
    entry.held = in.boolean();
    if (!in.ok() || !in.at_end()) return ParseError{"queue entry is damaged", bytes.size()};
    return entry;
}

}  // namespace mailstead::queue
