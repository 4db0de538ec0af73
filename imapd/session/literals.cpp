// Literals as they arrive: those of messages go into files, and what will not be taken is refused before it
// is sent.
#include "imapd/commands/commands.h"
#include "imapd/commands/compose.h"
#include "imapd/proto/response.h"
#include "imapd/session/file_bytes.h"
#include "imapd/session/session.h"

namespace mailstead::imapd {

using proto::Condition;
using proto::Framer;

namespace {

Reply rejection(Framer::Rejection why) {
    switch (why) {
        case Framer::Rejection::line_too_long:
            return {Condition::bad, "", "Line too long"};
        case Framer::Rejection::literal_too_big:
            return {Condition::no, "LIMIT", "Literal too long"};
        default:
            return {Condition::bad, "", "Command too long"};
    }
}

}  // namespace

net::Task<bool> Session::on_literal() {
    Framer& framer = connection.framer();
    const auto append =
        proto::append_literal_follows(framer.prefix(), {enabled.strings() == proto::Utf8::yes});
    if (!append) {
        connection.take_literal();
        co_return true;
    }
    if (append->append.literals() == 1) intake = Intake();
    intake.tag = append->tag;
    intake.accepting = false;
    if (!intake.refusal) {
        auto refused = co_await refuse_message(*append);
        intake.refusal = std::move(refused);
    }
    if (!intake.refusal) {
        auto refusal = co_await commands::compose(*this, intake, append->append, commands::Extent::so_far);
        intake.refusal = std::move(refusal);
    }
    // A client that waits for "+" is spared sending what will not be taken (RFC 9051, 6.3.12).
    if (intake.refusal) {
        framer.refuse(Framer::Rejection::literal_too_big);
        co_return true;
    }
    intake.accepting = true;
    if (framer.literal().synchronizing) proto::write_continuation(out(), "Go on");
    framer.stream();
    co_return true;
}

std::optional<Reply> Session::refuse_replace(const proto::Replace& replace) const {
    if (!capabilities.has(Capability::replace)) return bad("Not available");
    if (!selected) return bad("Select a mailbox first");  // RFC 8508, 3.5
    if (selected->read_only) return no("The mailbox is open for reading only", "READ-ONLY");
    const auto uids = resolve(replace.message, replace.uid);
    if (!uids) return bad(std::string(uids.error().what));
    if (uids->empty()) return no("No such message", "EXPUNGEISSUED");
    return std::nullopt;
}

net::Task<std::optional<Reply>> Session::refuse_message(const proto::MessageLiteral& arriving) {
    const proto::Append& append = arriving.append;
    const proto::AppendMessage& last = append.messages.back();
    const std::uint64_t size = last.parts.empty() ? last.literal.size : last.parts.back().text.size;
    if (size == 0 && last.parts.empty()) co_return no("An empty message", "CANNOT");
    if (size > backend.append_limit()) co_return no("The message is too large", "TOOBIG");  // RFC 7889, 4
    if (append.messages.size() > 1 && !capabilities.has(Capability::multi_append))
        co_return bad("One message at a time");
    if (append.catenates() && !capabilities.has(Capability::catenate)) co_return bad("Not available");
    if (arriving.replace) {
        if (auto refused = refuse_replace(*arriving.replace)) co_return refused;
    }
    // RFC 9738, 3.1: all of them or none.
    if (auto refused = refusal_of_many(append.messages.size(), limits().saved)) co_return refused;
    const auto place = co_await locate(append.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal_to_insert(*place)) co_return refused;
    const auto now = place->reader.snapshot();
    if (!now) co_return reply_to(now.error());
    const auto info = now->account();
    if (info && !arriving.replace && info->quota_octets != 0 && info->octets + size > info->quota_octets)
        co_return no("Quota exceeded", "OVERQUOTA");
    co_return std::nullopt;
}

void Session::on_chunk() {
    if (!intake.accepting || intake.refusal) return;
    const std::string_view chunk = connection.framer().chunk();
    Intake::File& file = intake.files.back();
    if (chunk.find('\0') != std::string_view::npos) {
        intake.refusal = no("The message holds NUL bytes", "UNKNOWN-CTE");  // RFC 3516, 4.4
    } else if (!write_file_bytes(file.descriptor.get(), chunk)) {
        intake.refusal = no("No room for the message now", "UNAVAILABLE");
    }
    file.size += chunk.size();
}

net::Task<bool> Session::on_rejected() {
    const std::string tag(connection.framer().rejected_tag());
    const Reply reply = intake.refusal ? *intake.refusal : rejection(connection.framer().rejection());
    intake = Intake();
    if (reply.condition == Condition::bad) co_return count_bad(tag, reply);
    answer(tag, reply);
    co_return true;
}

}  // namespace mailstead::imapd
