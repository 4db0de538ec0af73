#include "imapd/commands/content.h"

#include <algorithm>

#include "common/mime/message.h"
#include "common/mime/message_text.h"
#include "common/mime/structure.h"
#include "common/mime/transfer_encoding.h"
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

net::Task<std::string> fields_of(Session& session, const Content& content) {
    std::string header;
    const auto size = static_cast<std::size_t>(content.range.size());
    (void)co_await append_file_bytes(session.backend.pool(), content.file->descriptor.get(),
                                     content.range.begin, size, header);
    std::string value;
    write_fields(value, *content.item, header);
    co_return value;
}

net::Task<std::string> parsed_of(Session& session, const Content& content, bool& unknown_encoding) {
    const auto job = [&content] { return work_out(*content.item, *content.file, content.utf8); };
    auto worked = co_await runtime::offload_or_run(session.backend.pool(), job);
    unknown_encoding = unknown_encoding || worked.unknown_encoding;
    co_return std::move(worked.text);
}

// A value that is not bytes of the file as they are.
net::Task<bool> send_value(Session& session, const Content& content, Sending& sending) {
    BodyBuffer& out = sending.buffer;
    if (content.kind == Content::Kind::decoded) {
        const bool before = co_await out.flush();
        if (!before) co_return false;
        co_return co_await send_decoded(session, content, sending.unknown_encoding);
    }
    std::string value;
    if (content.kind == Content::Kind::fields) {
        value = co_await fields_of(session, content);
    } else {
        value = co_await parsed_of(session, content, sending.unknown_encoding);
    }
    co_return co_await out.append(value);
}

net::Task<bool> send_content(Session& session, const Content& content, Sending& sending) {
    if (content.kind != Content::Kind::bytes) return send_value(session, content, sending);
    return sending.buffer.append_file(content.file->descriptor.get(), content.range);
}

// What mostly does: bytes that fit.
bool add_content(const Content& content, BodyBuffer& out) {
    return content.kind == Content::Kind::bytes &&
           out.add_file(content.file->descriptor.get(), content.range);
}

// Contents are sent as they are reached; what send_decoded() leaves in session.out() goes before the rest.
net::Task<bool> send_contents(Session& session, const std::string& text, const std::vector<Content>& contents,
                              Sending& sending) {
    BodyBuffer& out = sending.buffer;
    std::size_t done = 0;
    for (const Content& content : contents) {
        const std::string_view before = std::string_view(text).substr(done, content.at - done);
        done = content.at;
        if (!out.add(before)) {
            const bool alive = co_await out.append(before);
            if (!alive) co_return false;
        }
        if (add_content(content, out)) continue;
        const bool alive = co_await send_content(session, content, sending);
        if (!alive) co_return false;
        if (session.out().empty()) continue;
        const bool flushed = co_await session.flush_if_full();
        if (!flushed) co_return false;
    }
    const std::string_view rest = std::string_view(text).substr(done);
    const bool alive = co_await out.append(rest);
    if (!alive) co_return false;
    co_return co_await out.finish();
}

std::uint64_t expected_size(const std::string& text, const std::vector<Content>& contents) {
    std::uint64_t size = text.size();
    for (const Content& content : contents) size += content.range.size();
    return size;
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
                            Sending& sending) {
    bool alive = true;
    if (!contents.empty()) {
        sending.buffer.reserve(expected_size(text, contents));
        alive = co_await send_contents(session, text, contents, sending);
    } else {
        const auto sent = co_await session.connection.send(text);
        alive = sent.has_value();
    }
    text.clear();
    contents.clear();
    co_return alive;
}

}  // namespace mailstead::imapd::commands
