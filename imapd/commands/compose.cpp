#include "imapd/commands/compose.h"

#include <algorithm>
#include <memory>
#include <unistd.h>

#include "common/base/text.h"
#include "common/mime/message.h"
#include "common/mime/message_text.h"
#include "common/runtime/offload.h"
#include "imapd/commands/content.h"
#include "imapd/commands/mapped_file.h"
#include "imapd/proto/imap_url.h"
#include "imapd/session/file_bytes.h"

namespace mailstead::imapd::commands {
namespace {

using proto::Section;

constexpr std::size_t kCopied = 1024 * 1024;  // at a time

enum class Copied : std::uint8_t { done, too_big, no_such_section, failed };

// What a URL names, found in a snapshot.
struct Source {
    store::OpenMessage file;
    Section section;
    std::optional<proto::Partial> partial;
    std::optional<mime::ByteRange> range;  // of the section in the file; none: the message must be parsed
};

// RFC 4469, 5: url-resp-text, which holds no "]", CR, LF or 8-bit bytes.
Reply bad_url(std::string_view url) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string code = "BADURL ";
    for (const char c : url.substr(0, proto::kMaxUrl)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > 0x1F && byte < 0x7F && c != ']' && c != '\\') {
            code += c;
            continue;
        }
        code += '%';
        code += kDigits[byte >> 4];
        code += kDigits[byte & 0xF];
    }
    return no("No such part of a message", std::move(code));
}

Reply too_big() {
    return no("The message is too large", "TOOBIG");
}
Reply no_room() {
    return no("No room for the message now", "UNAVAILABLE");
}

// ---- on the pool

// Through memory, where the file systems cannot do it themselves.
bool copy_by_hand(int from, std::uint64_t at, std::uint64_t size, int to) {
    std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, kCopied)), '\0');
    while (size != 0) {
        const ssize_t n =
            ::pread(from, piece.data(), static_cast<std::size_t>(std::min<std::uint64_t>(size, piece.size())),
                    static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0 || !write_file_bytes(to, std::string_view(piece).substr(0, static_cast<std::size_t>(n))))
            return false;
        at += static_cast<std::uint64_t>(n);
        size -= static_cast<std::uint64_t>(n);
    }
    return true;
}

// Appends to `to`, whose position is its end.
bool copy_range(int from, mime::ByteRange range, int to) {
    auto at = static_cast<loff_t>(range.begin);
    std::uint64_t left = range.size();
    while (left != 0) {
        const ssize_t n = ::copy_file_range(from, &at, to, nullptr, static_cast<std::size_t>(left), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return copy_by_hand(from, static_cast<std::uint64_t>(at), left, to);
        if (n == 0) return false;
        left -= static_cast<std::uint64_t>(n);
    }
    return true;
}

template <class T>
T cut(T range, const std::optional<proto::Partial>& partial);

template <>
mime::ByteRange cut(mime::ByteRange range, const std::optional<proto::Partial>& partial) {
    if (!partial) return range;
    range.begin += std::min(partial->offset, range.size());
    range.end = range.begin + std::min(partial->count, range.size());
    return range;
}
template <>
std::string_view cut(std::string_view bytes, const std::optional<proto::Partial>& partial) {
    const mime::ByteRange range = cut(mime::ByteRange{0, bytes.size()}, partial);
    return bytes.substr(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.size()));
}

bool is_fields(const Section& section) {
    return section.text == Section::Text::header_fields || section.text == Section::Text::header_fields_not;
}

// What of a section's `bytes` the URL names.
Copied write_bytes(std::string_view bytes, const Source& source, std::uint64_t room, int to,
                   std::uint64_t& written) {
    std::string selected;
    if (is_fields(source.section)) {
        const auto selection = source.section.text == Section::Text::header_fields
                                   ? mime::FieldSelection::only_these
                                   : mime::FieldSelection::all_but_these;
        selected = mime::select_fields(bytes, source.section.fields, selection);
        bytes = selected;
    }
    bytes = cut(bytes, source.partial);
    if (bytes.size() > room) return Copied::too_big;
    written = bytes.size();
    return write_file_bytes(to, bytes) ? Copied::done : Copied::failed;
}

Copied write_section(const mime::Message& message, const Source& source, std::uint64_t room, int to,
                     std::uint64_t& written) {
    const auto range = message.tree().find_section(source.section.part, section_text(source.section.text));
    if (!range) return Copied::no_such_section;
    return write_bytes(message.view(*range), source, room, to, written);
}

Copied copy_fields(const Source& source, std::uint64_t room, int to, std::uint64_t& written) {
    const MappedFile mapped(source.file.descriptor.get(), source.range->end);
    if (!mapped.ok()) return Copied::failed;
    return write_bytes(mapped.bytes().substr(static_cast<std::size_t>(source.range->begin)), source, room, to,
                       written);
}

// As FETCH would show it: with CRLF, whatever the file has.
Copied copy_parsed(const Source& source, std::uint64_t room, int to, std::uint64_t& written) {
    const MappedFile mapped(source.file.descriptor.get(), source.file.size);
    if (!mapped.ok()) return Copied::failed;
    const mime::Message message = mime::Message::parse(mapped.bytes());
    if (!message.has_bare_lf()) return write_section(message, source, room, to, written);
    const std::string crlf = mime::to_crlf(mapped.bytes());
    return write_section(mime::Message::parse(crlf), source, room, to, written);
}

Copied copy_source(const Source& source, std::uint64_t room, int to, std::uint64_t& written) {
    if (!source.range) return copy_parsed(source, room, to, written);
    if (is_fields(source.section)) return copy_fields(source, room, to, written);
    const mime::ByteRange range = cut(*source.range, source.partial);
    if (range.size() > room) return Copied::too_big;
    written = range.size();
    return copy_range(source.file.descriptor.get(), range, to) ? Copied::done : Copied::failed;
}

// ---- finding what a URL names

// RFC 4469, 3: of this server and this user, or relative to them.
bool is_ours(const Session& session, const proto::ImapUrl& url) {
    if (!url.server) return true;
    const std::string host = session.backend.hostname();
    const bool port = !url.server->port || *url.server->port == 143 || *url.server->port == 993;
    const bool user = !url.server->user || text::iequals(*url.server->user, session.login);
    return !host.empty() && text::iequals(url.server->host, host) && port && user;
}

// Where the section lies, as far as the fetch cache knows; without it the message is parsed.
std::optional<mime::ByteRange> known_range(const store::Snapshot& snapshot, const store::MessageInfo& message,
                                           const Section& section) {
    const auto cached = snapshot.cached(message.message);
    if (!cached || cached->has_bare_lf()) return std::nullopt;
    const std::uint64_t header = std::min(cached->header_size(), message.size);
    if (section.part.empty()) {
        if (section.text == Section::Text::content) return mime::ByteRange{0, message.size};
        if (section.text == Section::Text::text) return mime::ByteRange{header, message.size};
        return mime::ByteRange{0, header};
    }
    const auto parts = cached->parts();
    return parts ? parts->find_section(section.part, section_text(section.text)) : std::nullopt;
}

std::shared_ptr<const Source> find_in(const Place& place, proto::ImapUrl& url) {
    const store::MailboxInfo& mailbox = *place.mailbox;
    if (url.uidvalidity && *url.uidvalidity != mailbox.uidvalidity.value) return nullptr;
    const auto now = place.reader.snapshot();
    if (!now) return nullptr;
    const auto message = now->message(mailbox.id, Uid(url.uid));
    if (!message || !*message) return nullptr;
    auto file = now->open_message(mailbox.id, **message);
    if (!file) return nullptr;
    auto source = std::make_shared<Source>();
    source->range = known_range(*now, **message, url.section);
    source->file = *std::move(file);
    source->section = std::move(url.section);
    source->partial = url.partial;
    return source;
}

// nullptr: there is nothing by this URL, or nothing that the user may read.
net::Task<std::shared_ptr<const Source>> find_source(Session& session, const std::string& text) {
    std::optional<MailboxName> base;
    if (session.selected && session.selected->own) base = session.selected->info.name;
    auto url = proto::parse_imap_url(text, base);
    if (!url || !is_ours(session, *url)) co_return nullptr;
    if (url->partial && !session.capabilities.has(Capability::url_partial)) co_return nullptr;
    const auto place = co_await session.locate(url->mailbox);
    if (!place || !place->may(store::Right::read)) co_return nullptr;
    co_return find_in(*place, *url);
}

net::Task<std::optional<Reply>> add_url(Session& session, Intake::File& file, const std::string& url) {
    const auto source = co_await find_source(session, url);
    if (!source) co_return bad_url(url);
    struct Result {
        Copied how = Copied::failed;
        std::uint64_t written = 0;
    };
    const std::uint64_t room =
        session.backend.append_limit() - std::min(session.backend.append_limit(), file.size);
    const auto job = [source, room, to = file.descriptor.get()] {
        Result result;
        result.how = copy_source(*source, room, to, result.written);
        return result;
    };
    const auto result = co_await runtime::offload(session.backend.pool(), job);
    if (!result || result->how == Copied::failed) co_return no_room();
    if (result->how == Copied::no_such_section) co_return bad_url(url);
    if (result->how == Copied::too_big) co_return too_big();
    file.size += result->written;
    co_return std::nullopt;
}

// The parts of the last message up to number `stop`.
net::Task<std::optional<Reply>> add_parts(Session& session, Intake& intake,
                                          const std::vector<proto::CatenatePart>& parts, std::size_t stop) {
    while (intake.parts < stop) {
        const proto::CatenatePart& part = parts[intake.parts];
        if (!part.url) co_return bad("A text is missing");
        auto refusal = co_await add_url(session, intake.files.back(), *part.url);
        if (refusal) co_return refusal;
        ++intake.parts;
    }
    co_return std::nullopt;
}

}  // namespace

net::Task<std::optional<Reply>> compose(Session& session, Intake& intake, const proto::Append& append,
                                        Extent extent) {
    const std::size_t count = append.messages.size();
    for (std::size_t n = intake.files.empty() ? 0 : intake.files.size() - 1; n < count; ++n) {
        const proto::AppendMessage& message = append.messages[n];
        const bool in_hand = extent == Extent::so_far && n + 1 == count;
        if (n == intake.files.size()) {
            if (message.parts.empty() && !in_hand) co_return bad("A message is missing");
            auto made = session.backend.new_message_file();
            if (!made) co_return no_room();
            intake.files.push_back({*std::move(made), 0});
            intake.parts = 0;
        }
        if (!message.parts.empty()) {
            auto refusal =
                co_await add_parts(session, intake, message.parts, message.parts.size() - (in_hand ? 1 : 0));
            if (refusal) co_return refusal;
        }
        if (in_hand) {
            intake.parts = message.parts.size();
            const std::uint64_t more = message.parts.empty() ? 0 : message.parts.back().text.size;
            if (intake.files.back().size + more > session.backend.append_limit()) co_return too_big();
        } else if (intake.files.back().size == 0) {
            co_return no("An empty message", "CANNOT");
        }
    }
    co_return std::nullopt;
}

}  // namespace mailstead::imapd::commands
