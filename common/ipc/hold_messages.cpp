#include "common/ipc/hold_messages.h"

#include "common/ipc/decoding.h"

namespace mailstead::ipc {
namespace {

constexpr std::size_t kMaxError = 4'096;
constexpr std::size_t kMaxEnvironment = 64;
constexpr std::size_t kMaxPages = 1'024;
constexpr std::size_t kMaxMailbox = 4'096;

}  // namespace

std::string HoldAnswer::encode() const {
    ByteWriter out;
    out.string(std::string_view(error).substr(0, kMaxError));
    out.varint(batch);
    out.string(meta_pages);
    return out.take();
}

Parsed<HoldAnswer> HoldAnswer::decode(std::string_view bytes) {
    ByteReader in(bytes);
    HoldAnswer answer;
    TRY(error, read_text(in, kMaxError));
    answer.batch = in.varint();
    TRY(pages, read_text(in, kMaxPages));
    answer.error = std::move(error);
    answer.meta_pages = std::move(pages);
    return finish(in, std::move(answer));
}

std::string HoldCommand::encode() const {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(op));
    out.string(environment);
    return out.take();
}

Parsed<HoldCommand> HoldCommand::decode(std::string_view bytes) {
    ByteReader in(bytes);
    TRY(op, read_enum(in, Op::end));
    TRY(environment, read_text(in, kMaxEnvironment));
    return finish(in, HoldCommand{op, std::move(environment)});
}

std::string UndeleteAnswer::encode() const {
    ByteWriter out;
    out.string(std::string_view(error).substr(0, kMaxError));
    out.varint(messages);
    out.varint(missing);
    return out.take();
}

Parsed<UndeleteAnswer> UndeleteAnswer::decode(std::string_view bytes) {
    ByteReader in(bytes);
    UndeleteAnswer answer;
    TRY(error, read_text(in, kMaxError));
    answer.messages = in.varint();
    answer.missing = in.varint();
    answer.error = std::move(error);
    return finish(in, std::move(answer));
}

std::string UndeleteMessages::encode() const {
    ByteWriter out;
    out.varint(account.value);
    out.string(mailbox);
    write_time(out, since);
    write_time(out, before);
    return out.take();
}

Parsed<UndeleteMessages> UndeleteMessages::decode(std::string_view bytes) {
    ByteReader in(bytes);
    UndeleteMessages undelete;
    undelete.account = AccountId(in.varint32());
    TRY(name, read_text(in, kMaxMailbox));
    undelete.mailbox = std::move(name);
    undelete.since = read_time(in);
    undelete.before = read_time(in);
    if (!undelete.account) return ParseError("whose messages?", 0);
    return finish(in, std::move(undelete));
}

}  // namespace mailstead::ipc
