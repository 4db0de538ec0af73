// Where the parts of a message lie in its bytes, and IMAP section numbers. Small enough to keep beside each
// stored message, so that BODY[1.2] needs no parsing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/mime/transfer_encoding.h"

namespace mailstead::mime {

inline constexpr std::size_t kMaxParts = 10'000;
inline constexpr std::size_t kMaxDepth = 50;

using PartIndex = std::uint32_t;
inline constexpr PartIndex kRootPart = 0;
inline constexpr PartIndex kNoPart = UINT32_MAX;

// leaf: nothing inside. multipart: children are its parts, at least one. message: one child, the encapsulated
// message.
enum class PartKind : std::uint8_t { leaf, multipart, message };

// Offsets count from the first byte of the whole message. header_begin <= body_begin <= body_end.
struct Part {
    std::uint64_t header_begin = 0;
    std::uint64_t body_begin = 0;  // after the blank line that ends the header
    std::uint64_t body_end = 0;    // before the line end that belongs to the boundary (RFC 2046, 5.1.1)
    std::uint32_t lines = 0;       // line ends in the body
    PartIndex parent = kNoPart;
    PartIndex first_child = kNoPart;
    PartIndex next_sibling = kNoPart;
    PartKind kind = PartKind::leaf;
    TransferEncoding encoding = TransferEncoding::seven_bit;
    bool is_text = false;  // text/*, or no type given

    std::uint64_t size() const { return body_end - body_begin; }
    friend bool operator==(const Part&, const Part&) = default;
};

struct ByteRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t size() const { return end - begin; }
    friend bool operator==(ByteRange, ByteRange) = default;
};

// What of a part a section names: BODY[1], BODY[1.MIME], BODY[1.HEADER], BODY[1.TEXT] (RFC 9051, 6.4.5.1).
enum class SectionText : std::uint8_t { content, mime, header, text };

// Parts in the order in which they begin; parents before children. The root is the message itself.
class PartTree {
public:
    PartTree() = default;
    explicit PartTree(std::vector<Part> parts) : parts_(std::move(parts)) {}

    const std::vector<Part>& parts() const { return parts_; }
    const Part& operator[](PartIndex i) const { return parts_[i]; }
    std::size_t size() const { return parts_.size(); }

    // The part with this number (RFC 9051, 6.4.5.1); the root for an empty path. A message that is not
    // multipart has part 1 only, which is the root (or the encapsulated message's root) itself.
    std::optional<PartIndex> find_part(std::span<const std::uint32_t> path) const;

    // The bytes that a section stands for; nullopt when there is no such part, or it has no such text. With
    // an empty path, `content` is the whole message, `header` and `text` its two halves.
    std::optional<ByteRange> find_section(std::span<const std::uint32_t> path, SectionText what) const;
    // The same from what stands between the brackets: "", "1.2", "3.HEADER", "4.1.MIME", "TEXT".
    // HEADER.FIELDS is the caller's: take HEADER and select_fields().
    std::optional<ByteRange> find_section(std::string_view section) const;

    // For the fetch cache. decode() checks every bound and relation, so a damaged record cannot lead outside
    // the message.
    std::string encode() const;
    static Parsed<PartTree> decode(std::string_view bytes);

    friend bool operator==(const PartTree&, const PartTree&) = default;

private:
    std::vector<Part> parts_;
};

}  // namespace mailstead::mime
