#include "common/base/bytes.h"
#include "common/store/cache_format.h"
#include "common/store/fetch_cache.h"

namespace mailstead::store {
namespace {

// One entry of the field directory with its bytes.
struct Entry {
    unsigned number = 0;
    std::uint64_t place = 0;  // of a rare field
    std::string_view raw;     // empty when it is not kept
};

class Walk {
public:
    enum class Kind { usual, rare };
    Walk(std::string_view directory, std::string_view bytes, Kind kind)
        : directory_(directory), bytes_(bytes), kind_(kind) {}
    bool next(Entry& entry) {
        if (directory_.at_end()) return false;
        entry.number = directory_.u8();
        entry.raw = bytes_.raw(directory_.varint());
        if (kind_ == Kind::rare) entry.place = directory_.varint();
        return directory_.ok() && bytes_.ok() && entry.number < cache::kFieldNames.size();
    }

private:
    ByteReader directory_;
    ByteReader bytes_;
    Kind kind_;
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
    if (!in.ok()) return std::nullopt;
    m.has_rare_ = (flags & cache::kHasRare) != 0;
    m.rare_is_here_ = !m.has_rare_;
    if (in.at_end()) return m;
    m.attach_rare(in.rest());
    if (!m.has_rare_ || !m.rare_is_here_) return std::nullopt;
    return m;
}

std::optional<bool> CachedMessage::read_bare_lf(std::string_view record) {
    ByteReader in(record);
    if (in.u8() != cache::kVersion) return std::nullopt;
    const std::uint8_t flags = in.u8();
    if (!in.ok()) return std::nullopt;
    return (flags & cache::kHasBareLf) != 0;
}

std::size_t CachedMessage::rare_part(std::string_view record) {
    const auto whole = read(record);
    if (!whole || whole->rare_.directory.data() == nullptr) return record.size();
    const char* end_of_preview = whole->preview_.data() + whole->preview_.size();
    return static_cast<std::size_t>(end_of_preview - record.data());
}

void CachedMessage::attach_rare(std::string_view part) {
    ByteReader in(part);
    rare_.directory = in.string();
    rare_.bytes = in.string();
    rare_is_here_ = in.ok() && in.at_end();
    if (!rare_is_here_) rare_ = {};
}

bool FieldRequest::wants_rare() const {
    return (wanted_ & cache::kRareFields) != 0;
}

bool CachedMessage::append_usual(std::string& out, std::uint64_t wanted) const {
    Walk walk(fields_.directory, fields_.bytes, Walk::Kind::usual);
    Entry entry;
    while (walk.next(entry)) {
        if ((wanted >> entry.number & 1) == 0) continue;
        if (entry.raw.empty()) return false;
        out += entry.raw;
    }
    return true;
}

// Both kinds, in the order of the header.
bool CachedMessage::append_merged(std::string& out, std::uint64_t wanted) const {
    Walk usual(fields_.directory, fields_.bytes, Walk::Kind::usual);
    Walk rare(rare_.directory, rare_.bytes, Walk::Kind::rare);
    Entry entry;
    Entry rare_entry;
    bool rare_left = rare.next(rare_entry);
    const auto append = [&](const Entry& each) {
        if ((wanted >> each.number & 1) == 0) return true;
        out += each.raw;
        return !each.raw.empty();
    };
    for (std::uint64_t place = 0; usual.next(entry); ++place) {
        for (; rare_left && rare_entry.place <= place; rare_left = rare.next(rare_entry)) {
            if (!append(rare_entry)) return false;
        }
        if (!append(entry)) return false;
    }
    for (; rare_left; rare_left = rare.next(rare_entry)) {
        if (!append(rare_entry)) return false;
    }
    return true;
}

bool CachedMessage::append_fields(std::string& out, const FieldRequest& request) const {
    if (!request.covered_) return false;
    const std::uint64_t rare = has_rare_ ? request.wanted_ & cache::kRareFields : 0;
    if (rare != 0 && !rare_is_here_) return false;
    const std::size_t before = out.size();
    const bool answered =
        rare == 0 ? append_usual(out, request.wanted_) : append_merged(out, request.wanted_);
    if (!answered) {
        out.resize(before);
        return false;
    }
    // RFC 9051, 6.4.5.1: the empty line is there unless the message has none.
    out += empty_line_;
    return true;
}

std::optional<std::string_view> CachedMessage::first_field(std::string_view name) const {
    const int number = cache::field_number(name);
    if (number < 0) return std::nullopt;
    const bool rare = (cache::kRareFields >> number & 1) != 0;
    if (rare && !rare_is_here_) return std::nullopt;
    const Fields& fields = rare ? rare_ : fields_;
    Walk walk(fields.directory, fields.bytes, rare ? Walk::Kind::rare : Walk::Kind::usual);
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
