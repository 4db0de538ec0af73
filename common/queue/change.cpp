#include "common/queue/change.h"

#include "common/base/text.h"
#include "common/queue/codec.h"

namespace mailstead::queue {
namespace {

enum class Kind : std::uint8_t { enqueue = 1, record = 2, control = 3 };

std::string encode_change(const Enqueue& change) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(Kind::enqueue));
    out.varint(change.file);
    out.varint(change.limit);
    out.string(encode(change.entry));
    return out.take();
}

std::string encode_change(const Record& change) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(Kind::record));
    out.varint(change.id.value);
    out.varint(change.recipients.size());
    for (const auto& [index, progress] : change.recipients) {
        out.varint(index);
        write_progress(out, progress);
    }
    return out.take();
}

std::string encode_change(const Control& change) {
    ipc::QueueCommand command;
    command.op = change.op;
    command.selector = change.selector;
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(Kind::control));
    write_time(out, change.at);
    out.string(command.encode());
    return out.take();
}

Parsed<QueueChange> decode_enqueue(ByteReader& in) {
    Enqueue change;
    change.file = in.varint32();
    change.limit = in.varint();
    TRY(entry, decode_entry(QueueId{}, in.string()));
    change.entry = std::move(entry);
    return QueueChange(std::move(change));
}

Parsed<QueueChange> decode_record(ByteReader& in) {
    Record change;
    change.id = QueueId(in.varint());
    const std::size_t count = in.count();
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t index = in.varint32();
        TRY(progress, read_progress(in));
        change.recipients.emplace_back(index, std::move(progress));
    }
    return QueueChange(std::move(change));
}

Parsed<QueueChange> decode_control(ByteReader& in) {
    Control change;
    change.at = read_time(in);
    TRY(command, ipc::QueueCommand::decode(in.string()));
    change.op = command.op;
    change.selector = std::move(command.selector);
    return QueueChange(std::move(change));
}

Parsed<QueueChange> decode_kind(ByteReader& in) {
    switch (static_cast<Kind>(in.u8())) {
        case Kind::enqueue:
            return decode_enqueue(in);
        case Kind::record:
            return decode_record(in);
        case Kind::control:
            return decode_control(in);
    }
    return ParseError{"unknown change of the queue", 0};
}

}  // namespace

std::string encode(const QueueChange& change) {
    return std::visit([](const auto& each) { return encode_change(each); }, change);
}

Parsed<QueueChange> decode_queue_change(std::string_view bytes) {
    ByteReader in(bytes);
    TRY(change, decode_kind(in));
    if (!in.ok() || !in.at_end()) return ParseError{"change of the queue is damaged", bytes.size()};
    return change;
}

std::string encode_number(std::uint64_t number) {
    ByteWriter out;
    out.varint(number);
    return out.take();
}

Parsed<std::uint64_t> decode_number(std::string_view bytes) {
    ByteReader in(bytes);
    const std::uint64_t number = in.varint();
    if (!in.ok() || !in.at_end()) return ParseError{"not a number", 0};
    return number;
}

bool selects(const ipc::QueueCommand::Selector& selector, const QueueEntry& entry,
             const QueuedRecipient& recipient) {
    struct Match {
        const QueueEntry& entry;
        const QueuedRecipient& recipient;
        bool operator()(const ipc::QueueCommand::All&) const { return true; }
        bool operator()(const QueueId& id) const { return id == entry.id; }
        bool operator()(const ipc::QueueCommand::ToDomain& to) const {
            return text::iequals(destination_of(recipient.recipient), to.domain);
        }
        bool operator()(const ipc::QueueCommand::ToRecipient& to) const {
            return text::iequals(recipient.recipient.address.to_string(), to.address);
        }
    };
    return std::visit(Match{entry, recipient}, selector);
}

bool selects(const ipc::QueueCommand::Selector& selector, const QueueEntry& entry) {
    for (const auto& recipient : entry.recipients) {
        if (selects(selector, entry, recipient)) return true;
    }
    return false;
}

}  // namespace mailstead::queue
