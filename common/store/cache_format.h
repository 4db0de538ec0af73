// The layout of a fetch cache record. Internal to the store.
//
// record = version:u8 flags:u8 header-size:varint [utc:fixed64 offset:fixed32] message-id:fixed64
// references:string
//          field-directory:string field-bytes:string
//          envelope body-structure body envelope-utf8 body-structure-utf8 body-utf8   (strings; a utf8 one is
//          empty when it is the same) parts base-subject from to cc from-display to-display preview (strings)
//          [ rare-directory:string rare-bytes:string ]   the fields of kRareFields; they may be kept apart
// field-directory = *( number:u8 length:varint ), in the order of the header; length 0: the field is there
// but not kept references = *fixed64
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/text.h"

namespace mailstead::store::cache {

// A change of the layout or of kFieldNames is a new version; records of another version are not read.
inline constexpr std::uint8_t kVersion = 1;

inline constexpr std::uint8_t kHeadersAreAscii = 1;
inline constexpr std::uint8_t kHasBareLf = 2;
inline constexpr std::uint8_t kIsReply = 4;
inline constexpr std::uint8_t kHasAttachment = 8;
inline constexpr std::uint8_t kEndsInCrlf = 16;  // the header's empty line; neither: it has none
inline constexpr std::uint8_t kEndsInLf = 32;
inline constexpr std::uint8_t kHasDate = 64;
inline constexpr std::uint8_t kHasRare = 128;  // there are fields of kRareFields

inline constexpr std::size_t kMaxField = 4 * 1024;    // of one field
inline constexpr std::size_t kMaxFields = 16 * 1024;  // of all that are kept
inline constexpr std::size_t kMaxListed = 512;        // fields in the directory
inline constexpr std::size_t kMaxText = 8 * 1024;     // of an ENVELOPE, BODYSTRUCTURE or BODY
inline constexpr std::size_t kMaxPartTree = 8 * 1024;
inline constexpr std::size_t kMaxReferences = 32;  // the first one and the last ones

// What mail programs ask for by HEADER.FIELDS when they fill their lists: Thunderbird, Apple Mail and iOS
// (BIMI and authentication results included), Outlook, K-9, FairEmail, mutt, isync, OfflineIMAP, Roundcube,
// SnappyMail. Long ones that are asked for by single message only (Received, Autocrypt, ARC-*) are left out.
inline constexpr std::array<std::string_view, 62> kFieldNames = {"from",
                                                                 "to",
                                                                 "cc",
                                                                 "bcc",
                                                                 "reply-to",
                                                                 "sender",
                                                                 "subject",
                                                                 "date",
                                                                 "message-id",
                                                                 "in-reply-to",
                                                                 "references",
                                                                 "newsgroups",
                                                                 "content-type",
                                                                 "content-transfer-encoding",
                                                                 "mime-version",
                                                                 "content-disposition",
                                                                 "content-description",
                                                                 "content-language",
                                                                 "priority",
                                                                 "x-priority",
                                                                 "importance",
                                                                 "x-msmail-priority",
                                                                 "x-mailer",
                                                                 "user-agent",
                                                                 "list-id",
                                                                 "list-post",
                                                                 "list-unsubscribe",
                                                                 "list-unsubscribe-post",
                                                                 "list-help",
                                                                 "list-subscribe",
                                                                 "list-archive",
                                                                 "list-owner",
                                                                 "followup-to",
                                                                 "mail-followup-to",
                                                                 "mail-reply-to",
                                                                 "disposition-notification-to",
                                                                 "return-receipt-to",
                                                                 "delivered-to",
                                                                 "x-original-to",
                                                                 "envelope-to",
                                                                 "x-spam-status",
                                                                 "x-spam-flag",
                                                                 "x-spam-score",
                                                                 "precedence",
                                                                 "auto-submitted",
                                                                 "return-path",
                                                                 "x-label",
                                                                 "lines",
                                                                 "keywords",
                                                                 "organization",
                                                                 "x-uniform-type-identifier",
                                                                 "x-universally-unique-identifier",
                                                                 "bimi-indicator",
                                                                 "bimi-location",
                                                                 "x-bimi-indicator-hash",
                                                                 "authentication-results",
                                                                 "dkim-signature",
                                                                 "x-forwarded-message-id",
                                                                 "x-k9mail-identity",
                                                                 "x-offlineimap",
                                                                 "x-tuid",
                                                                 "chat-version"};
static_assert(kFieldNames.size() <= 64, "a request is a 64-bit mask");

// The number of a name, or -1.
inline int field_number(std::string_view name) {
    for (std::size_t n = 0; n < kFieldNames.size(); ++n) {
        if (kFieldNames[n].size() == name.size() && text::iequals(kFieldNames[n], name))
            return static_cast<int>(n);
    }
    return -1;
}

// Long ones that few clients ask for: apart from the others, records stay below half a page of the index, two
// of them to a page.
constexpr bool is_rare(std::string_view name) {
    return name == "dkim-signature" || name == "authentication-results" || name == "x-spam-status" ||
           name == "bimi-indicator";
}
constexpr std::uint64_t rare_mask() {
    std::uint64_t mask = 0;
    for (std::size_t n = 0; n < kFieldNames.size(); ++n) {
        if (is_rare(kFieldNames[n])) mask |= std::uint64_t{1} << n;
    }
    return mask;
}
inline constexpr std::uint64_t kRareFields = rare_mask();

}  // namespace mailstead::store::cache
