// record = version:u8 flags:u8 present:u8 cut:u8 [utc:fixed64 offset:fixed32]
//          5*text-length:varint keys:string texts-and-more-keys
// keys = 6*( begin:varint length:varint ), places in what follows: a key is mostly a piece of its field's
// text
#include "common/store/header_record.h"

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/mime/charset.h"
#include "common/mime/encoded_word.h"
#include "common/mime/headers.h"

namespace mailstead::store {
namespace {

constexpr std::uint8_t kVersion = 1;

constexpr std::uint8_t kHasDate = 1;
constexpr std::uint8_t kHasAttachment = 2;
constexpr std::uint8_t kIsReply = 4;

constexpr std::size_t kMaxText = 1'024;  // of all fields of one name, folded

constexpr std::array<std::string_view, kHeaderTexts> kNames = {"subject", "from", "to", "cc", "bcc"};

struct Text {
    std::string folded;
    bool present = false;
    bool cut = false;
};

Text gather(const CachedMessage& cached, std::string_view name) {
    const std::string names[] = {std::string(name)};
    std::string fields;
    Text text;
    if (!cached.append_fields(fields, FieldRequest(names))) {
        text.present = text.cut = true;
        return text;
    }
    mime::HeaderReader reader(fields);
    while (const auto field = reader.next()) {
        if (!field->is(name)) continue;
        if (text.present) text.folded += HeaderRecord::kFieldBreak;
        text.present = true;
        text.folded += mime::fold_for_search(mime::decode_encoded_words(field->value()));
        if (text.folded.size() <= kMaxText) continue;
        text.folded.clear();
        text.cut = true;
        break;
    }
    return text;
}

void add_key(ByteWriter& places, std::string& texts, std::string_view key) {
    std::size_t at = texts.find(key);
    if (at == std::string::npos) {
        at = texts.size();
        texts += key;
    }
    places.varint(at);
    places.varint(key.size());
}

}  // namespace

std::optional<HeaderText> header_text_of(std::string_view field_name) {
    for (std::size_t n = 0; n < kNames.size(); ++n) {
        if (text::iequals(kNames[n], field_name)) return static_cast<HeaderText>(n);
    }
    return std::nullopt;
}

std::string build_header_record(const CachedMessage& cached) {
    std::uint8_t flags = 0;
    if (cached.sent_date()) flags |= kHasDate;
    if (cached.has_attachment()) flags |= kHasAttachment;
    if (cached.is_reply_or_forward()) flags |= kIsReply;
    std::uint8_t present = 0;
    std::uint8_t cut = 0;
    std::string texts;
    ByteWriter lengths;
    for (std::size_t n = 0; n < kNames.size(); ++n) {
        const Text text = gather(cached, kNames[n]);
        if (text.present) present = static_cast<std::uint8_t>(present | 1U << n);
        if (text.cut) cut = static_cast<std::uint8_t>(cut | 1U << n);
        lengths.varint(text.folded.size());
        texts += text.folded;
    }
    ByteWriter places;
    for (const std::string_view key : {cached.base_subject(), cached.from_key(), cached.to_key(),
                                       cached.cc_key(), cached.from_display(), cached.to_display()}) {
        add_key(places, texts, key);
    }

    ByteWriter out;
    out.u8(kVersion);
    out.u8(flags);
    out.u8(present);
    out.u8(cut);
    if (const auto sent = cached.sent_date()) {
        out.fixed64(static_cast<std::uint64_t>(sent->utc_seconds));
        out.fixed32(static_cast<std::uint32_t>(sent->offset_minutes));
    }
    out.raw(lengths.bytes());
    out.string(places.bytes());
    out.raw(texts);
    return out.take();
}

std::optional<HeaderRecord> HeaderRecord::read(std::string_view record) {
    ByteReader in(record);
    HeaderRecord r;
    if (in.u8() != kVersion) return std::nullopt;
    const std::uint8_t flags = in.u8();
    r.present_ = in.u8();
    r.cut_ = in.u8();
    if ((flags & kHasDate) != 0) {
        const auto utc = static_cast<std::int64_t>(in.fixed64());
        r.sent_ = CachedMessage::SentDate{utc, static_cast<std::int32_t>(in.fixed32())};
    }
    for (std::size_t n = 0; n < kHeaderTexts; ++n) {
        const std::uint32_t length = in.varint32();
        if (length > kMaxHeaderRecord) return std::nullopt;
        r.begin_[n + 1] = r.begin_[n] + length;
    }
    r.keys_ = in.string();
    if (!in.ok()) return std::nullopt;
    r.texts_ = in.rest();
    if (r.begin_[kHeaderTexts] > r.texts_.size()) return std::nullopt;
    r.has_attachment_ = (flags & kHasAttachment) != 0;
    r.is_reply_ = (flags & kIsReply) != 0;
    return r;
}

std::string_view HeaderRecord::key(std::size_t n) const {
    ByteReader places(keys_);
    for (std::size_t skipped = 0; skipped < 2 * n; ++skipped) places.varint();
    const std::uint64_t begin = places.varint();
    const std::uint64_t length = places.varint();
    if (!places.ok() || begin > texts_.size() || length > texts_.size() - begin) return {};
    return texts_.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(length));
}

}  // namespace mailstead::store
