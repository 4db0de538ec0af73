#include "common/commit/record.h"

#include "common/base/bytes.h"

namespace mailstead::commit {
namespace {

bool decode_batch(ByteReader& in, Record& record) {
    record.environments.resize(in.count());
    for (auto& environment : record.environments) {
        environment.key = in.string();
        environment.meta_pages = in.string();
    }
    record.transactions.resize(in.count());
    for (auto& transaction : record.transactions) {
        transaction.files.resize(in.count());
        for (auto& file : transaction.files) {
            file.staged = in.boolean();
            file.bytes = in.string();
            file.size = in.varint();
        }
        transaction.parts.resize(in.count());
        for (auto& part : transaction.parts) {
            part.environment = static_cast<std::size_t>(in.varint());
            if (part.environment >= record.environments.size()) return false;
            part.payload = in.string();
            part.after.resize(in.count());
            for (auto& step : part.after) {
                step.kind = in.boolean() ? FileStep::Kind::rename : FileStep::Kind::remove;
                step.from = in.string();
                step.to = in.string();
            }
        }
    }
    return in.ok();
}

}  // namespace

void encode_record(FrameBuffer& out, const Record& record) {
    out.u8(static_cast<std::uint8_t>(record.kind));
    out.varint(record.batch);
    if (record.kind == Record::Kind::drop) out.string(record.dropped);
    if (record.kind != Record::Kind::batch) return;
    out.varint(record.environments.size());
    for (const auto& environment : record.environments) {
        out.string(environment.key);
        out.string(environment.meta_pages);
    }
    out.varint(record.transactions.size());
    for (const auto& transaction : record.transactions) {
        out.varint(transaction.files.size());
        for (const auto& file : transaction.files) {
            out.u8(file.staged ? 1 : 0);
            out.string(file.bytes);
            out.varint(file.size);
        }
        out.varint(transaction.parts.size());
        for (const auto& part : transaction.parts) {
            out.varint(part.environment);
            out.string(part.payload);
            out.varint(part.after.size());
            for (const auto& step : part.after) {
                out.u8(step.kind == FileStep::Kind::rename ? 1 : 0);
                out.string(step.from);
                out.string(step.to);
            }
        }
    }
}

std::optional<Record> decode_record(std::string_view payload) {
    ByteReader in(payload);
    Record record;
    record.kind = static_cast<Record::Kind>(in.u8());
    record.batch = in.varint();
    switch (record.kind) {
        case Record::Kind::batch:
            if (!decode_batch(in, record)) return std::nullopt;
            break;
        case Record::Kind::drop:
            record.dropped = in.string();
            break;
        case Record::Kind::revoke:
            break;
        default:
            return std::nullopt;
    }
    if (!in.ok() || !in.at_end()) return std::nullopt;
    return record;
}

}  // namespace mailstead::commit
