#include "common/base/bytes.h"
#include "common/store/cache_format.h"
#include "common/store/fetch_cache.h"

namespace mailstead::store {
namespace {

// One entry of the field directory with its bytes.
struct Entry {
    unsigned number = 0;
    std::string_view raw;  // empty when it is not kept
};

class Walk {
public:
    Walk(std::string_view directory, std::string_view bytes) : directory_(directory), bytes_(bytes) {}
    bool next(Entry& entry) {
        if (directory_.at_end()) return false;
        entry.number = directory_.u8();
        entry.raw = bytes_.raw(directory_.varint());
        return directory_.ok() && bytes_.ok();
    }

private:
    ByteReader directory_;
    ByteReader bytes_;
};

}  // namespace

FieldRequest::FieldRequest(std::span<const std::string> names) {
    for (const std::string& name : names) {
        const int number = cache::field_number(name);
        if (number < 0) {
            covered_ = false;
        } else {
            wanted_ |= std::uint64_t{1} << number;
        }
    }
}

std::optional<CachedMessage> CachedMessage::read(std::string_view record) {
    ByteReader in(record);
    CachedMessage m;
    if (in.u8() != cache::kVersion) return std::nullopt;
    const std::uint8_t flags = in.u8();
    m.headers_are_ascii_ = (flags & cache::kHeadersAreAscii) != 0;
    m.has_bare_lf_ = (flags & cache::kHasBareLf) != 0;
    m.is_reply_ = (flags & cache::kIsReply) != 0;
    m.has_attachment_ = (flags & cache::kHasAttachment) != 0;
    m.empty_line_ = (flags & cache::kEndsInCrlf) != 0 ? "\r\n" : (flags & cache::kEndsInLf) != 0 ? "\n" : "";
    m.header_size_ = in.varint();
    if ((flags & cache::kHasDate) != 0) {
        const auto utc = static_cast<std::int64_t>(in.fixed64());
        m.sent_ = SentDate{utc, static_cast<std::int32_t>(in.fixed32())};
    }
    m.message_id_hash_ = in.fixed64();
    for (std::string_view* text :
         {&m.references_, &m.fields_.directory, &m.fields_.bytes, &m.envelope_, &m.structure_, &m.body_,
          &m.envelope_utf8_, &m.structure_utf8_, &m.body_utf8_, &m.parts_, &m.base_subject_, &m.from_key_,
          &m.to_key_, &m.cc_key_, &m.from_display_, &m.to_display_, &m.preview_}) {
        *text = in.string();
    }
    if (!in.ok() || !in.at_end()) return std::nullopt;
    return m;
}

bool CachedMessage::append_fields(std::string& out, const FieldRequest& request) const {
    if (!request.covered_) return false;
    const std::size_t before = out.size();
    Walk walk(fields_.directory, fields_.bytes);
    Entry entry;
    while (walk.next(entry)) {
        if ((request.wanted_ >> entry.number & 1) == 0) continue;
        if (entry.raw.empty()) {
            out.resize(before);
            return false;
        }
        out += entry.raw;
    }
    // RFC 9051, 6.4.5.1: the empty line is there unless the message has none.
    out += empty_line_;
    return true;
}

std::optional<std::string_view> CachedMessage::first_field(std::string_view name) const {
    const int number = cache::field_number(name);
    if (number < 0) return std::nullopt;
    Walk walk(fields_.directory, fields_.bytes);
    Entry entry;
    while (walk.next(entry)) {
        if (entry.number != static_cast<unsigned>(number)) continue;
        if (entry.raw.empty()) return std::nullopt;
        return entry.raw;
    }
    return std::string_view();
}

std::optional<mime::PartTree> CachedMessage::parts() const {
    if (parts_.empty()) return std::nullopt;
    auto tree = mime::PartTree::decode(parts_);
    if (!tree) return std::nullopt;
    return *std::move(tree);
}

std::vector<std::uint64_t> CachedMessage::reference_hashes() const {
    std::vector<std::uint64_t> hashes;
    ByteReader in(references_);
    while (!in.at_end() && in.ok()) hashes.push_back(in.fixed64());
    return hashes;
}

}  // namespace mailstead::store
