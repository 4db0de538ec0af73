#include "imapd/commands/content.h"

#include <algorithm>

#include "common/mime/message.h"
#include "common/mime/message_text.h"
#include "common/mime/structure.h"
#include "common/mime/transfer_encoding.h"
#include "common/runtime/log.h"
#include "common/runtime/offload.h"
#include "imapd/commands/decoded.h"
#include "imapd/commands/mapped_file.h"
#include "imapd/session/file_bytes.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {
namespace {

using proto::FetchItem;
using proto::FetchKind;
using proto::Section;

net::Task<void> append_bytes(Session& session, int fd, std::uint64_t offset, std::size_t size) {
    const std::size_t done =
        co_await append_file_bytes(session.backend.pool(), fd, offset, size, session.out());
    // The length was announced: what cannot be read is sent as blanks.
    if (done < size)
        log::error("imap.message.short",
                   {{"account", session.selected->account.value}, {"missing", size - done}});
}

net::Task<bool> send_bytes(Session& session, const Content& content) {
    std::uint64_t at = content.range.begin;
    while (at < content.range.end) {
        const std::size_t size =
            static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, content.range.end - at));
        co_await append_bytes(session, content.file->descriptor.get(), at, size);
        at += size;
        if (session.out().size() < kPiece) continue;
        const auto sent = co_await session.connection.flush();
        if (!sent) co_return false;
    }
    co_return true;
}

net::Task<void> append_fields(Session& session, const Content& content) {
    std::string header;
    const auto size = static_cast<std::size_t>(content.range.size());
    (void)co_await append_file_bytes(session.backend.pool(), content.file->descriptor.get(),
                                     content.range.begin, size, header);
    write_fields(session.out(), *content.item, header);
}

net::Task<bool> append_parsed(Session& session, const Content& content) {
    const auto job = [&content] { return work_out(*content.item, *content.file, content.utf8); };
    const auto worked = co_await runtime::offload_or_run(session.backend.pool(), job);
    session.out() += worked.text;
    co_return worked.unknown_encoding;
}

// ---- on the pool

void write_section_value(std::string& out, const FetchItem& item, const mime::Message& message) {
    const auto range = message.tree().find_section(item.section.part, section_text(item.section.text));
    if (!range) {
        out += "NIL";
    } else if (item.section.text == Section::Text::header_fields ||
               item.section.text == Section::Text::header_fields_not) {
        write_fields(out, item, message.view(*range));
    } else {
        write_bytes(out, item, message.view(*range));
    }
}

// RFC 3516, 4.2 and 4.3: the part without its transfer encoding. The whole message has none to remove.
bool write_binary(std::string& out, const FetchItem& item, const mime::Message& message) {
    std::string_view body = message.bytes();
    std::string decoded;
    if (!item.section.part.empty()) {
        const auto part = message.tree().find_part(item.section.part);
        if (!part) {
            out += item.kind == FetchKind::binary_size ? "0" : "NIL";
            return true;
        }
        const mime::Part& found = message.part(*part);
        if (found.encoding == mime::TransferEncoding::unknown) {
            out += item.kind == FetchKind::binary_size ? "0" : "NIL";
            return false;
        }
        body = message.body(*part);
        if (found.kind == mime::PartKind::leaf) {
            decoded = mime::decode_transfer(body, found.encoding);
            body = decoded;
        }
    }
    if (item.kind == FetchKind::binary_size) {
        proto::write_number(out, body.size());
    } else {
        write_bytes(out, item, body);
    }
    return true;
}

void write_value(Worked& worked, const FetchItem& item, const mime::Message& message, proto::Utf8 utf8) {
    const auto client = utf8 == proto::Utf8::yes ? mime::ClientText::utf8 : mime::ClientText::ascii;
    std::string& out = worked.text;
    switch (item.kind) {
        case FetchKind::envelope:
            mime::write_envelope(out, message, client);
            return;
        case FetchKind::body:
            mime::write_body(out, message, client);
            return;
        case FetchKind::body_structure:
            mime::write_bodystructure(out, message, client);
            return;
        case FetchKind::preview:
            proto::write_string(out, mime::preview(message), utf8);
            return;
        case FetchKind::binary:
        case FetchKind::binary_size:
            worked.unknown_encoding = !write_binary(out, item, message);
            return;
        default:
            write_section_value(out, item, message);
            return;
    }
}

}  // namespace

mime::SectionText section_text(Section::Text text) {
    switch (text) {
        case Section::Text::content:
            return mime::SectionText::content;
        case Section::Text::mime:
            return mime::SectionText::mime;
        case Section::Text::text:
            return mime::SectionText::text;
        default:
            return mime::SectionText::header;
    }
}

void write_bytes(std::string& out, const FetchItem& item, std::string_view bytes) {
    if (item.partial) {
        const std::uint64_t begin = std::min<std::uint64_t>(item.partial->offset, bytes.size());
        bytes = bytes.substr(static_cast<std::size_t>(begin));
        bytes = bytes.substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(item.partial->count, bytes.size())));
    }
    if (bytes.empty()) {
        out += "\"\"";
        return;
    }
    const bool binary = item.kind == FetchKind::binary && bytes.find('\0') != std::string_view::npos;
    proto::write_literal_head(out, bytes.size(), binary);
    out += bytes;
}

void write_fields(std::string& out, const FetchItem& item, std::string_view header) {
    const auto selection = item.section.text == Section::Text::header_fields
                               ? mime::FieldSelection::only_these
                               : mime::FieldSelection::all_but_these;
    write_bytes(out, item, mime::select_fields(header, item.section.fields, selection));
}

Worked work_out(const FetchItem& item, const store::OpenMessage& file, proto::Utf8 utf8) {
    Worked worked;
    const MappedFile mapped(file.descriptor.get(), file.size);
    if (!mapped.ok()) {
        worked.text = "NIL";
        return worked;
    }
    const mime::Message message = mime::Message::parse(mapped.bytes());
    if (message.has_bare_lf()) {
        const std::string crlf = mime::to_crlf(mapped.bytes());
        write_value(worked, item, mime::Message::parse(crlf), utf8);
    } else {
        write_value(worked, item, message, utf8);
    }
    return worked;
}

net::Task<bool> send_answer(Session& session, std::string& text, std::vector<Content>& contents,
                            bool& unknown_encoding) {
    if (contents.empty() && session.out().empty()) {
        session.out().swap(text);
        const auto sent = co_await session.connection.flush();
        text.swap(session.out());
        text.clear();
        co_return sent.has_value();
    }
    std::size_t done = 0;
    for (const Content& content : contents) {
        session.out().append(text, done, content.at - done);
        done = content.at;
        if (content.kind == Content::Kind::bytes) {
            const bool alive = co_await send_bytes(session, content);
            if (!alive) co_return false;
        } else if (content.kind == Content::Kind::fields) {
            co_await append_fields(session, content);
        } else if (content.kind == Content::Kind::decoded) {
            const bool alive = co_await send_decoded(session, content, unknown_encoding);
            if (!alive) co_return false;
        } else {
            const bool unknown = co_await append_parsed(session, content);
            unknown_encoding = unknown_encoding || unknown;
        }
        if (session.out().size() < kPiece) continue;
        const auto sent = co_await session.connection.flush();
        if (!sent) co_return false;
    }
    session.out().append(text, done);
    text.clear();
    contents.clear();
    co_return co_await session.flush_if_full();
}

}  // namespace mailstead::imapd::commands
