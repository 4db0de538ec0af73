#include "common/ipc/hold_messages.h"

#include "common/ipc/decoding.h"

namespace mailstead::ipc {
namespace {

constexpr std::size_t kMaxError = 4'096;
constexpr std::size_t kMaxEnvironment = 64;
constexpr std::size_t kMaxPages = 1'024;

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

}  // namespace mailstead::ipc
