// What is said about the state of accounts and of deliver itself.
#include <algorithm>

#include "common/ipc/decoding.h"
#include "common/ipc/messages.h"

namespace mailstead::ipc {

namespace {

constexpr std::size_t kShortText = 256;
constexpr std::size_t kLongText = 4'096;
constexpr std::size_t kMaxNumbers = 1'000;
constexpr std::size_t kMaxRepairs = 1'000;

void write_repair(ByteWriter& out, const Repair& repair) {
    out.string(std::string_view(repair.environment).substr(0, kShortText));
    out.string(std::string_view(repair.address).substr(0, kShortText * 4));
    out.string(std::string_view(repair.why).substr(0, kLongText));
    write_time(out, repair.since);
    out.u8(repair.percent);
    out.varint(repair.failures);
    out.string(std::string_view(repair.last_failure).substr(0, kLongText));
}

Parsed<Repair> read_repair(ByteReader& in) {
    Repair repair;
    TRY(environment, read_text(in, kShortText));
    TRY(address, read_text(in, kShortText * 4));
    TRY(why, read_text(in, kLongText));
    repair.since = read_time(in);
    repair.percent = in.u8();
    repair.failures = in.varint32();
    TRY(last_failure, read_text(in, kLongText));
    repair.environment = std::move(environment);
    repair.address = std::move(address);
    repair.why = std::move(why);
    repair.last_failure = std::move(last_failure);
    return repair;
}

}  // namespace

Parsed<StatusQuestion> StatusQuestion::decode(std::string_view bytes) {
    return finish(ByteReader(bytes), StatusQuestion{});
}

std::string StatusAnswer::encode() const {
    ByteWriter out;
    out.varint(numbers.size());
    for (const auto& [key, value] : numbers) {
        out.string(key);
        out.varint(value);
    }
    const std::size_t shown = std::min(repairs.size(), kMaxRepairs);
    out.varint(shown);
    for (std::size_t i = 0; i < shown; ++i) write_repair(out, repairs[i]);
    return out.take();
}

Parsed<StatusAnswer> StatusAnswer::decode(std::string_view bytes) {
    ByteReader in(bytes);
    StatusAnswer answer;
    const std::size_t count = in.count();
    if (count > kMaxNumbers) return ParseError("too many numbers", 0);
    for (std::size_t i = 0; i < count; ++i) {
        TRY(key, read_text(in, kShortText));
        answer.numbers.emplace_back(std::move(key), in.varint());
    }
    const std::size_t repairs = in.count();
    if (repairs > kMaxRepairs) return ParseError("too many repairs", 0);
    for (std::size_t i = 0; i < repairs; ++i) {
        TRY(repair, read_repair(in));
        answer.repairs.push_back(std::move(repair));
    }
    return finish(in, std::move(answer));
}

std::string AccountGone::encode() const {
    ByteWriter out;
    out.varint(account.value);
    return out.take();
}

Parsed<AccountGone> AccountGone::decode(std::string_view bytes) {
    ByteReader in(bytes);
    AccountGone gone;
    gone.account = AccountId(in.varint32());
    return finish(in, gone);
}

std::string DamageReport::encode() const {
    ByteWriter out;
    out.varint(account.value);
    out.u8(static_cast<std::uint8_t>(kind));
    out.string(std::string_view(what).substr(0, kLongText));
    return out.take();
}

Parsed<DamageReport> DamageReport::decode(std::string_view bytes) {
    ByteReader in(bytes);
    DamageReport report;
    report.account = AccountId(in.varint32());
    const std::uint8_t kind = in.u8();
    if (kind > static_cast<std::uint8_t>(Kind::crash)) return ParseError("unknown kind of damage", 0);
    report.kind = static_cast<Kind>(kind);
    TRY(what, read_text(in, kLongText));
    report.what = std::move(what);
    return finish(in, std::move(report));
}

}  // namespace mailstead::ipc
