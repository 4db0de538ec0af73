// What a FETCH asks for (RFC 9051, 6.4.5; RFC 3501, 6.4.5; RFC 7162; RFC 8474; RFC 8514; RFC 8970; RFC 3516).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "imapd/proto/lexer.h"

namespace mailstead::imapd::proto {

inline constexpr std::size_t kMaxFetchItems = 64;
inline constexpr std::size_t kMaxHeaderNames = 256;
inline constexpr std::size_t kMaxPartDepth = 64;

enum class FetchKind : std::uint8_t {
    flags,
    uid,
    internal_date,
    size,
    envelope,
    body,  // BODYSTRUCTURE without extension data
    body_structure,
    mod_seq,
    email_id,
    thread_id,
    save_date,
    preview,
    section,        // BODY[...]
    binary,         // BINARY[...]
    binary_size,    // BINARY.SIZE[...]
    rfc822,         // RFC822: BODY[] by its older name
    rfc822_header,  // RFC822.HEADER: BODY.PEEK[HEADER]
    rfc822_text     // RFC822.TEXT: BODY[TEXT]
};

struct Section {
    enum class Text : std::uint8_t { content, header, header_fields, header_fields_not, text, mime };
    std::vector<std::uint32_t> part;  // empty: the message
    Text text = Text::content;
    std::vector<std::string> fields;  // as the client spelled them; the answer repeats them
    friend bool operator==(const Section&, const Section&) = default;
};

struct Partial {
    std::uint64_t offset = 0;
    std::uint64_t count = 0;  // at least 1
    friend bool operator==(const Partial&, const Partial&) = default;
};

struct FetchItem {
    FetchKind kind = FetchKind::flags;
    bool peek = false;  // does not set \Seen
    Section section;    // section, binary and binary_size
    std::optional<Partial> partial;
    friend bool operator==(const FetchItem&, const FetchItem&) = default;

    // Whether fetching it marks the message as seen (RFC 9051, 6.4.5).
    bool sets_seen() const;
};

// "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"
Parsed<std::vector<FetchItem>> parse_fetch_items(Lexer& in);

// section-spec = section-msgtext / (section-part ["." section-text]), without brackets
Parsed<Section> parse_section_spec(Lexer& in);

// What stands between the brackets of the answer: `1.2.HEADER.FIELDS (From To)`.
void write_section(std::string& out, const Section& section);

}  // namespace mailstead::imapd::proto
