#include "common/commit/record.h"

#include "common/base/bytes.h"

namespace mailstead::commit {
namespace {

// What the first byte says beside the kinds: a batch with all file steps.
constexpr std::uint8_t kBatchWithLinks = 4;

bool decode_step(ByteReader& in, bool names_links, FileStep& step) {
    if (!names_links) {
        step.kind = in.boolean() ? FileStep::Kind::rename : FileStep::Kind::remove;
    } else {
        const std::uint8_t kind = in.u8();
        if (kind > static_cast<std::uint8_t>(FileStep::Kind::remove)) return false;
        step.kind = static_cast<FileStep::Kind>(kind);
        step.file = static_cast<std::size_t>(in.varint());
    }
    step.from = in.string();
    step.to = in.string();
    return true;
}

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
            part.steps.resize(in.count());
            for (auto& step : part.steps) {
                if (!decode_step(in, record.names_links, step)) return false;
                if (step.kind == FileStep::Kind::link_file && step.file >= transaction.files.size())
                    return false;
            }
        }
    }
    return in.ok();
}

}  // namespace

void encode_record(FrameBuffer& out, const Record& record) {
    out.u8(record.kind == Record::Kind::batch && record.names_links ? kBatchWithLinks
                                                                    : static_cast<std::uint8_t>(record.kind));
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
            out.varint(part.steps.size());
            for (const auto& step : part.steps) {
                if (record.names_links) {
                    out.u8(static_cast<std::uint8_t>(step.kind));
                    out.varint(step.file);
                } else {
                    out.u8(step.kind == FileStep::Kind::rename ? 1 : 0);
                }
                out.string(step.from);
                out.string(step.to);
            }
        }
    }
}

std::optional<Record> decode_record(std::string_view payload) {
    ByteReader in(payload);
    Record record;
    const std::uint8_t kind = in.u8();
    record.names_links = kind == kBatchWithLinks;
    record.kind = record.names_links ? Record::Kind::batch : static_cast<Record::Kind>(kind);
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
