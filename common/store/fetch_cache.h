// The fetch cache: what clients ask for about a message, taken from its bytes once, at delivery, and kept in
// the index.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/mime/part_tree.h"
#include "common/store/failure.h"

namespace mailstead::mime {
class Message;
}

namespace mailstead::store {

// The record for a message. Never fails: whatever the bytes are, there is a record. Some 1.5 KiB for ordinary
// mail, at most kMaxFetchCache. Costs one parse; give the parsed message when there is one.
std::string build_fetch_cache(std::string_view message);
std::string build_fetch_cache(const mime::Message& message);
inline constexpr std::size_t kMaxFetchCache = 96 * 1024;

// A HEADER.FIELDS request, prepared once for a whole FETCH.
class FieldRequest {
public:
    // Names as the client wrote them, case ignored.
    explicit FieldRequest(std::span<const std::string> names);

    // Whether each name is among those that records hold, so that append_fields() can answer.
    bool is_covered() const { return covered_; }
    // Whether it names long fields that lie apart (DKIM-Signature and its like): Snapshot::cached() wants to
    // know.
    bool wants_rare() const;

private:
    friend class CachedMessage;
    std::uint64_t wanted_ = 0;  // bit n: name n of the table
    bool covered_ = true;
};

// A record, read in place: views end with the bytes they came from (the snapshot, or its next cursor movement
// in a visitor).
class CachedMessage {
public:
    // nullopt for a record that is damaged or of a version this program does not know: open the message
    // instead.
    static std::optional<CachedMessage> read(std::string_view record);
    // has_bare_lf() of a record without reading the rest of it; nullopt as above.
    static std::optional<bool> read_bare_lf(std::string_view record);
    // Where the part with the rare fields begins in a whole record; it may be kept apart and handed to
    // attach_rare().
    static std::size_t rare_part(std::string_view record);
    void attach_rare(std::string_view part);

    // Final IMAP texts (common/mime/structure.h). `ascii` serves clients without UTF8=ACCEPT and IMAP4rev2.
    // An empty view means that the text was too long to keep: open the message and write it anew.
    std::string_view envelope(bool utf8) const {
        return utf8 && !envelope_utf8_.empty() ? envelope_utf8_ : envelope_;
    }
    std::string_view body_structure(bool utf8) const {
        return utf8 && !structure_utf8_.empty() ? structure_utf8_ : structure_;
    }
    std::string_view body(bool utf8) const { return utf8 && !body_utf8_.empty() ? body_utf8_ : body_; }

    // Whether all header bytes are ASCII. Otherwise BODY[HEADER...] of it must not reach clients as a quoted
    // string.
    bool headers_are_ascii() const { return headers_are_ascii_; }
    // Whether the file has lines that end in LF alone; its offsets still count its own bytes.
    bool has_bare_lf() const { return has_bare_lf_; }

    // Appends to `out` the answer to BODY[HEADER.FIELDS (...)]: the wanted fields byte for byte, then the
    // empty line. False, with nothing appended, when the record cannot answer (a name outside the table, or a
    // wanted field was too long to keep): open the message.
    bool append_fields(std::string& out, const FieldRequest& request) const;
    // The first field with this name, raw, name and last line end included; empty when the message has none.
    // nullopt when the record cannot tell.
    std::optional<std::string_view> first_field(std::string_view name) const;

    // Bytes of the header with its empty line: RFC822.HEADER is [0, header_size), RFC822.TEXT the rest.
    std::uint64_t header_size() const { return header_size_; }
    // Where the parts lie; nullopt when there were too many to keep.
    std::optional<mime::PartTree> parts() const;

    // The Date field: the moment, and the zone it was written in (SENTON compares the day as written).
    // nullopt when missing or unreadable.
    struct SentDate {
        std::int64_t utc_seconds;
        std::int32_t offset_minutes;
    };
    std::optional<SentDate> sent_date() const { return sent_; }

    // Keys of SORT and THREAD (RFC 5256, RFC 5957), folded for comparison (mime::fold_for_search) and cut to
    // kSortKey bytes.
    std::string_view base_subject() const { return base_subject_; }
    bool is_reply_or_forward() const { return is_reply_; }
    std::string_view from_key() const { return from_key_; }  // local part of the first From address
    std::string_view to_key() const { return to_key_; }
    std::string_view cc_key() const { return cc_key_; }
    std::string_view from_display() const { return from_display_; }  // SORT=DISPLAY
    std::string_view to_display() const { return to_display_; }

    // 64-bit hashes of message ids, for THREAD: 0 when the message has none. References are in order, the
    // parent last; if the field is missing, the first id of In-Reply-To.
    std::uint64_t message_id_hash() const { return message_id_hash_; }
    std::vector<std::uint64_t> reference_hashes() const;

    // RFC 8970: UTF-8, up to 200 characters.
    std::string_view preview() const { return preview_; }
    bool has_attachment() const { return has_attachment_; }

private:
    struct Fields {
        std::string_view directory;  // per field: number in the table, length (0: not kept)
        std::string_view bytes;
    };
    std::string_view envelope_, envelope_utf8_, structure_, structure_utf8_, body_, body_utf8_;
    std::string_view base_subject_, from_key_, to_key_, cc_key_, from_display_, to_display_, preview_, parts_,
        references_;
    Fields fields_, rare_;
    bool has_rare_ = false, rare_is_here_ = true;
    bool append_usual(std::string& out, std::uint64_t wanted) const;
    bool append_merged(std::string& out, std::uint64_t wanted) const;
    std::uint64_t header_size_ = 0;
    std::uint64_t message_id_hash_ = 0;
    std::optional<SentDate> sent_;
    bool headers_are_ascii_ = true, has_bare_lf_ = false, is_reply_ = false, has_attachment_ = false;
    std::string_view empty_line_;  // that ends the header
};

inline constexpr std::size_t kSortKey = 64;

// The hash of a message id (without brackets), as records and the thread index hold it; never 0.
std::uint64_t hash_message_id(std::string_view id);

}  // namespace mailstead::store
