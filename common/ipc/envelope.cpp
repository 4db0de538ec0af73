#include "common/ipc/envelope.h"

#include <utility>

#include "common/ipc/decoding.h"

namespace mailstead::ipc {

namespace {

constexpr std::uint8_t kLocal = 0;
constexpr std::uint8_t kRemote = 1;
constexpr NotifyFlags kAllNotify = kNotifyNever | kNotifySuccess | kNotifyFailure | kNotifyDelay;

void write_recipient(ByteWriter& out, const Recipient& recipient) {
    write_address(out, recipient.address);
    out.u8(recipient.notify);
    out.string(recipient.orcpt);
    if (const Local* const local = std::get_if<Local>(&recipient.target)) {
        out.u8(kLocal);
        out.varint(local->account.value);
        out.string(local->mailbox_hint);
    } else {
        out.u8(kRemote);
        write_address(out, std::get<Remote>(recipient.target).address);
    }
}

Parsed<Target> read_target(ByteReader& in) {
    const std::uint8_t kind = in.u8();
    if (kind == kLocal) {
        const AccountId account(in.varint32());
        TRY(hint, read_text(in, kMaxEnvelopeText));
        if (!account) return ParseError("a local recipient needs an account", 0);
        return Target(Local{account, std::move(hint)});
    }
    if (kind != kRemote) return ParseError("unknown kind of recipient", 0);
    TRY(address, read_address(in));
    return Target(Remote{std::move(address)});
}

Parsed<Recipient> read_recipient(ByteReader& in) {
    TRY(address, read_address(in));
    const NotifyFlags notify = in.u8();
    // RFC 3461, 4.1: NEVER stands alone.
    if ((notify & ~kAllNotify) != 0 || ((notify & kNotifyNever) != 0 && notify != kNotifyNever)) {
        return ParseError("impossible NOTIFY", 0);
    }
    TRY(orcpt, read_text(in, kMaxEnvelopeText));
    TRY(target, read_target(in));
    return Recipient{std::move(address), notify, std::move(orcpt), std::move(target)};
}

}  // namespace

void write_address(ByteWriter& out, const Address& address) {
    out.string(address.to_string());
}

Parsed<Address> read_address(ByteReader& in) {
    const std::string_view text = in.string();
    if (!in.ok()) return ParseError("truncated address", 0);
    return Address::parse(text);
}

void write_envelope(ByteWriter& out, const Envelope& envelope) {
    out.boolean(envelope.reverse_path.has_value());
    if (envelope.reverse_path) write_address(out, *envelope.reverse_path);
    out.varint(envelope.recipients.size());
    for (const Recipient& recipient : envelope.recipients) write_recipient(out, recipient);
    out.u8(static_cast<std::uint8_t>(envelope.ret));
    out.string(envelope.envid);
    out.boolean(envelope.smtputf8);
    out.boolean(envelope.require_tls);
    out.u8(static_cast<std::uint8_t>(envelope.body));
}

Parsed<Envelope> read_envelope(ByteReader& in) {
    Envelope envelope;
    TRY(has_sender, read_flag(in));
    if (has_sender) {
        TRY(sender, read_address(in));
        envelope.reverse_path = std::move(sender);
    }
    const std::size_t count = in.count();
    if (!in.ok() || count == 0 || count > kMaxRecipients)
        return ParseError("impossible number of recipients", 0);
    envelope.recipients.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        TRY(recipient, read_recipient(in));
        envelope.recipients.push_back(std::move(recipient));
    }
    TRY(ret, read_enum(in, ReturnContent::headers));
    TRY(envid, read_text(in, kMaxEnvelopeText));
    TRY(smtputf8, read_flag(in));
    TRY(require_tls, read_flag(in));
    TRY(body, read_enum(in, BodyType::binary_mime));
    envelope.ret = ret;
    envelope.envid = std::move(envid);
    envelope.smtputf8 = smtputf8;
    envelope.require_tls = require_tls;
    envelope.body = body;
    return envelope;
}

}  // namespace mailstead::ipc
