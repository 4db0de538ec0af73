// What SEARCH and SORT ask of every message: folded header texts, dates, sort keys. Some 150 bytes for
// ordinary mail, so that a search over a large mailbox is a walk over a few pages of the index.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/store/fetch_cache.h"

namespace mailstead::store {

// The record of a message, made from its fetch cache, always the same from the same bytes. At most
// kMaxHeaderRecord bytes.
std::string build_header_record(const CachedMessage& cached);
inline constexpr std::size_t kMaxHeaderRecord = 8 * 1024;

// A header that records hold as text.
enum class HeaderText : std::uint8_t { subject = 0, from = 1, to = 2, cc = 3, bcc = 4 };
inline constexpr std::size_t kHeaderTexts = 5;
// The one that a field name (case ignored) stands for.
std::optional<HeaderText> header_text_of(std::string_view field_name);

// A record, read in place: views end with the bytes they came from.
class HeaderRecord {
public:
    // nullopt for a record that is damaged or of a version this program does not know: ask the fetch cache.
    static std::optional<HeaderRecord> read(std::string_view record);

    // Whether the message has a field of this name.
    bool has(HeaderText which) const { return (present_ >> static_cast<unsigned>(which) & 1) != 0; }
    // The field's decoded text, folded by mime::fold_for_search; several fields of one name are parted by
    // kFieldBreak. nullopt when it is too long to be kept here.
    std::optional<std::string_view> text(HeaderText which) const {
        const auto n = static_cast<unsigned>(which);
        if ((cut_ >> n & 1) != 0) return std::nullopt;
        return texts_.substr(begin_[n], begin_[n + 1] - begin_[n]);
    }
    // Is in no text: bytes of well-formed UTF-8 are never this one.
    static constexpr char kFieldBreak = '\xFF';

    std::optional<CachedMessage::SentDate> sent_date() const { return sent_; }
    bool has_attachment() const { return has_attachment_; }
    bool is_reply_or_forward() const { return is_reply_; }

    // The sort keys of CachedMessage, the same bytes.
    std::string_view base_subject() const { return key(0); }
    std::string_view from_key() const { return key(1); }
    std::string_view to_key() const { return key(2); }
    std::string_view cc_key() const { return key(3); }
    std::string_view from_display() const { return key(4); }
    std::string_view to_display() const { return key(5); }

private:
    std::string_view key(std::size_t n) const;

    std::string_view texts_;  // the texts one after another, then keys that are no part of them
    std::string_view keys_;   // where the keys lie in texts_
    std::array<std::uint32_t, kHeaderTexts + 1> begin_{};
    std::uint8_t present_ = 0;
    std::uint8_t cut_ = 0;
    bool has_attachment_ = false, is_reply_ = false;
    std::optional<CachedMessage::SentDate> sent_;
};

}  // namespace mailstead::store
