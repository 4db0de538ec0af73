#include "common/store/fetch_cache.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/mime/address_list.h"
#include "common/mime/charset.h"
#include "common/mime/date_time.h"
#include "common/mime/message.h"
#include "common/mime/message_id.h"
#include "common/mime/message_text.h"
#include "common/mime/structure.h"
#include "common/store/cache_format.h"

namespace mailstead::store {
namespace {

constexpr std::size_t kMaxDisplayName = 1'024;  // bytes of a name that are looked at for a key

std::string cut(std::string key) {
    if (key.size() > kSortKey) key.resize(kSortKey);
    return key;
}

// What a record is made of, gathered in one walk over the header.
struct Kept {
    std::string directory;
    std::string fields;
    std::size_t count = 0;
};
struct Parts {
    Kept usual, rare;
    std::optional<mime::DateTime> date;
    std::uint64_t message_id = 0;
    std::vector<std::uint64_t> references;
    mime::BaseSubject subject;
    std::string from, to, cc, from_display, to_display;
};

void keep_field(Parts& parts, std::size_t& listed, std::string_view raw, int number) {
    if (++listed > cache::kMaxListed) return;
    const bool rare = (cache::kRareFields >> number & 1) != 0;
    Kept& to = rare ? parts.rare : parts.usual;
    const bool kept = raw.size() <= cache::kMaxField && to.fields.size() + raw.size() <= cache::kMaxFields;
    ByteWriter entry;
    entry.u8(static_cast<std::uint8_t>(number));
    entry.varint(kept ? raw.size() : 0);
    if (rare) entry.varint(parts.usual.count);
    to.directory += entry.bytes();
    ++to.count;
    if (kept) to.fields += raw;
}

// RFC 5256, 3 (FROM: the local part of the first address) and RFC 5957, 3 (DISPLAYFROM: its name, else the
// address).
void first_address(std::string_view body, std::string& key, std::string* display) {
    mime::AddressListReader list(body.substr(0, 64 * 1024));
    mime::ListedAddress entry;
    while (list.next(entry)) {
        if (entry.kind != mime::ListedAddress::Kind::mailbox) continue;
        key = cut(mime::fold_for_search(std::string_view(entry.local).substr(0, kMaxDisplayName)));
        if (display == nullptr) return;
        std::string shown = entry.decoded_name();
        if (shown.empty()) shown = entry.domain.empty() ? entry.local : entry.local + '@' + entry.domain;
        if (shown.size() > kMaxDisplayName) shown.resize(kMaxDisplayName);
        *display = cut(mime::fold_for_search(shown));
        return;
    }
}

std::vector<std::uint64_t> hash_ids(std::string_view body) {
    const std::vector<std::string> ids = mime::parse_message_ids(body);
    std::vector<std::uint64_t> hashes;
    for (std::size_t n = 0; n < ids.size(); ++n) {
        const bool near_an_end = n == 0 || n + cache::kMaxReferences > ids.size();
        if (near_an_end) hashes.push_back(hash_message_id(ids[n]));
    }
    return hashes;
}

Parts gather(std::string_view header) {
    Parts parts;
    std::vector<std::uint64_t> reply_to;
    std::size_t listed = 0;
    std::uint64_t seen = 0;
    mime::HeaderReader reader(header);
    while (const auto field = reader.next()) {
        const int number = cache::field_number(field->name);
        if (number < 0) continue;
        keep_field(parts, listed, field->raw, number);
        const std::uint64_t bit = std::uint64_t{1} << number;
        if ((seen & bit) != 0) continue;  // the first of each name counts
        seen |= bit;
        const std::string_view name = cache::kFieldNames[static_cast<std::size_t>(number)];
        const std::string_view body = field->body;
        if (name == "from") first_address(body, parts.from, &parts.from_display);
        if (name == "to") first_address(body, parts.to, &parts.to_display);
        if (name == "cc") first_address(body, parts.cc, nullptr);
        if (name == "subject") parts.subject = mime::base_subject(body.substr(0, 16 * 1024));
        if (name == "date") {
            if (auto date = mime::parse_message_date(mime::unfold(body, 1'024))) parts.date = *date;
        }
        if (name == "message-id") {
            if (const std::string id = mime::first_message_id(body); !id.empty())
                parts.message_id = hash_message_id(id);
        }
        if (name == "references") parts.references = hash_ids(body);
        if (name == "in-reply-to") reply_to = hash_ids(body);
    }
    // RFC 5256, 5: without References the first id of In-Reply-To counts.
    if (parts.references.empty() && !reply_to.empty()) parts.references.push_back(reply_to.front());
    // More fields than the directory takes: it must not pretend that there are none.
    if (listed > cache::kMaxListed) {
        parts.usual = parts.rare = Kept();
        for (std::size_t n = 0; n < cache::kFieldNames.size(); ++n) {
            parts.usual.directory += static_cast<char>(n);
            parts.usual.directory += '\0';
        }
    }
    return parts;
}

bool is_attachment(const mime::Message& message, mime::PartIndex i) {
    const mime::PartFields& fields = message.fields(i);
    if (message.part(i).kind == mime::PartKind::multipart) return false;
    if (fields.disposition == "attachment") return true;
    return i != mime::kRootPart && fields.type != "text" && fields.disposition != "inline" &&
           fields.type != "multipart";
}

bool has_attachment(const mime::Message& message) {
    const std::size_t looked_at = std::min<std::size_t>(message.size(), 1'000);
    for (std::size_t i = 0; i < looked_at; ++i) {
        if (is_attachment(message, static_cast<mime::PartIndex>(i))) return true;
    }
    return false;
}

using Writer = bool (*)(std::string&, const mime::Message&, mime::ClientText, mime::PartIndex);

struct ImapText {
    std::string ascii;
    std::string utf8;  // empty when it is the same
};
// Both texts, or neither when one of them is too long.
ImapText write_text(Writer write, const mime::Message& message) {
    ImapText text;
    const bool same = write(text.ascii, message, mime::ClientText::ascii, mime::kRootPart);
    if (!same) write(text.utf8, message, mime::ClientText::utf8, mime::kRootPart);
    if (text.ascii.size() > cache::kMaxText || text.utf8.size() > cache::kMaxText) return {};
    return text;
}

}  // namespace

// FNV-1a, finished so that all bits count: stable on disk, and nothing depends on collisions being rare
// beyond chance.
std::uint64_t hash_message_id(std::string_view id) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
    return hash == 0 ? 1 : hash;
}

std::string build_fetch_cache(std::string_view message) {
    return build_fetch_cache(mime::Message::parse(message));
}

std::string build_fetch_cache(const mime::Message& message) {
    const std::string_view header = message.header(mime::kRootPart);
    const Parts parts = gather(header);
    const std::string empty_line = mime::select_fields(header, {}, mime::FieldSelection::only_these);

    std::uint8_t flags = 0;
    if (text::is_ascii(header)) flags |= cache::kHeadersAreAscii;
    if (message.has_bare_lf()) flags |= cache::kHasBareLf;
    if (parts.subject.is_reply_or_forward) flags |= cache::kIsReply;
    if (has_attachment(message)) flags |= cache::kHasAttachment;
    if (empty_line == "\r\n") flags |= cache::kEndsInCrlf;
    if (empty_line == "\n") flags |= cache::kEndsInLf;
    if (parts.date) flags |= cache::kHasDate;
    if (!parts.rare.directory.empty()) flags |= cache::kHasRare;

    ByteWriter out;
    out.u8(cache::kVersion);
    out.u8(flags);
    out.varint(header.size());
    if (parts.date) {
        out.fixed64(static_cast<std::uint64_t>(parts.date->utc.time_since_epoch().count()));
        out.fixed32(static_cast<std::uint32_t>(parts.date->offset.count()));
    }
    out.fixed64(parts.message_id);
    ByteWriter references;
    for (const std::uint64_t hash : parts.references) references.fixed64(hash);
    out.string(references.bytes());
    out.string(parts.usual.directory);
    out.string(parts.usual.fields);

    const ImapText envelope = write_text(mime::write_envelope, message);
    const ImapText structure = write_text(mime::write_bodystructure, message);
    const ImapText body = write_text(mime::write_body, message);
    for (const std::string* text :
         {&envelope.ascii, &structure.ascii, &body.ascii, &envelope.utf8, &structure.utf8, &body.utf8}) {
        out.string(*text);
    }
    const std::string tree = message.tree().encode();
    out.string(tree.size() <= cache::kMaxPartTree ? std::string_view(tree) : std::string_view());
    out.string(cut(mime::fold_for_search(std::string_view(parts.subject.text).substr(0, kMaxDisplayName))));
    for (const std::string* key : {&parts.from, &parts.to, &parts.cc, &parts.from_display, &parts.to_display})
        out.string(*key);
    out.string(mime::preview(message));
    if (!parts.rare.directory.empty()) {
        out.string(parts.rare.directory);
        out.string(parts.rare.fields);
    }
    return out.take();
}

}  // namespace mailstead::store
