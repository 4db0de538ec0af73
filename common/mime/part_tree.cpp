#include "common/mime/part_tree.h"

#include "common/base/bytes.h"
#include "common/base/text.h"

namespace mailstead::mime {
namespace {

std::optional<PartIndex> nth_child(const std::vector<Part>& parts, PartIndex parent, std::uint32_t number) {
    PartIndex child = parts[parent].first_child;
    for (std::uint32_t i = 1; i < number && child != kNoPart; ++i) child = parts[child].next_sibling;
    if (number == 0 || child == kNoPart) return std::nullopt;
    return child;
}

// Part `number` of a message whose root is `root`: without multipart there is part 1 only.
std::optional<PartIndex> part_of_message(const std::vector<Part>& parts, PartIndex root,
                                         std::uint32_t number) {
    if (parts[root].kind == PartKind::multipart) return nth_child(parts, root, number);
    if (number != 1) return std::nullopt;
    return root;
}

std::optional<PartIndex> part_of_part(const std::vector<Part>& parts, PartIndex part, std::uint32_t number) {
    switch (parts[part].kind) {
        case PartKind::leaf:
            return std::nullopt;
        case PartKind::multipart:
            return nth_child(parts, part, number);
        case PartKind::message:
            return part_of_message(parts, parts[part].first_child, number);
    }
    return std::nullopt;
}

}  // namespace

std::optional<PartIndex> PartTree::find_part(std::span<const std::uint32_t> path) const {
    if (parts_.empty()) return std::nullopt;
    if (path.empty()) return kRootPart;
    std::optional<PartIndex> part = part_of_message(parts_, kRootPart, path[0]);
    for (std::size_t i = 1; i < path.size() && part; ++i) part = part_of_part(parts_, *part, path[i]);
    return part;
}

std::optional<ByteRange> PartTree::find_section(std::span<const std::uint32_t> path, SectionText what) const {
    const auto index = find_part(path);
    if (!index) return std::nullopt;
    const Part* part = &parts_[*index];
    if (path.empty() && what == SectionText::content) return ByteRange{part->header_begin, part->body_end};
    if (what == SectionText::content) return ByteRange{part->body_begin, part->body_end};
    if (what == SectionText::mime) {
        if (path.empty()) return std::nullopt;
        return ByteRange{part->header_begin, part->body_begin};
    }
    // RFC 9051, 6.4.5.1: with a number, HEADER and TEXT must refer to an encapsulated message.
    if (!path.empty()) {
        if (part->kind != PartKind::message) return std::nullopt;
        part = &parts_[part->first_child];
    }
    if (what == SectionText::header) return ByteRange{part->header_begin, part->body_begin};
    return ByteRange{part->body_begin, part->body_end};
}

// section-spec = section-msgtext / (section-part ["." section-text])   (RFC 9051, 9)
std::optional<ByteRange> PartTree::find_section(std::string_view section) const {
    std::vector<std::uint32_t> path;
    SectionText what = SectionText::content;
    while (!section.empty()) {
        const bool last = section.find('.') == std::string_view::npos;
        const std::string_view piece = text::next_field(section, '.');
        if (const auto number = text::parse_number<std::uint32_t>(piece)) {
            if (path.size() >= 2 * kMaxDepth || (section.empty() && !last)) return std::nullopt;
            path.push_back(*number);
            continue;
        }
        if (!last) return std::nullopt;
        if (text::iequals(piece, "MIME")) {
            what = SectionText::mime;
        } else if (text::iequals(piece, "HEADER")) {
            what = SectionText::header;
        } else if (text::iequals(piece, "TEXT")) {
            what = SectionText::text;
        } else {
            return std::nullopt;
        }
    }
    return find_section(path, what);
}

std::string PartTree::encode() const {
    ByteWriter out;
    out.varint(parts_.size());
    for (const Part& part : parts_) {
        out.varint(part.header_begin);
        out.varint(part.body_begin - part.header_begin);
        out.varint(part.body_end - part.body_begin);
        out.varint(part.lines);
        out.varint(part.parent == kNoPart ? 0 : part.parent + 1);
        out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(part.kind) |
                                         static_cast<unsigned>(part.encoding) << 2 |
                                         (part.is_text ? 0x80U : 0U)));
    }
    return out.take();
}

namespace {

constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 48;

bool read_part(ByteReader& in, Part& part) {
    part.header_begin = in.varint();
    const std::uint64_t header = in.varint();
    const std::uint64_t body = in.varint();
    if (part.header_begin > kMaxOffset || header > kMaxOffset || body > kMaxOffset) return false;
    part.body_begin = part.header_begin + header;
    part.body_end = part.body_begin + body;
    part.lines = in.varint32();
    const std::uint32_t parent = in.varint32();
    part.parent = parent == 0 ? kNoPart : parent - 1;
    const unsigned flags = in.u8();
    if ((flags & 3) > 2 || (flags >> 2 & 0x1F) > static_cast<unsigned>(TransferEncoding::unknown))
        return false;
    part.kind = static_cast<PartKind>(flags & 3);
    part.encoding = static_cast<TransferEncoding>(flags >> 2 & 0x1F);
    part.is_text = (flags & 0x80) != 0;
    return in.ok();
}

// Hangs part `i` below its parent; `last_child` remembers each part's youngest.
bool link(std::vector<Part>& parts, std::vector<PartIndex>& last_child, PartIndex i) {
    const Part& part = parts[i];
    if (i == kRootPart) return part.parent == kNoPart;
    if (part.parent >= i) return false;
    Part& parent = parts[part.parent];
    if (parent.kind == PartKind::leaf || part.header_begin < parent.body_begin ||
        part.body_end > parent.body_end)
        return false;
    PartIndex& last = last_child[part.parent];
    if (last != kNoPart && parent.kind == PartKind::message) return false;
    (last == kNoPart ? parent.first_child : parts[last].next_sibling) = i;
    last = i;
    return true;
}

}  // namespace

Parsed<PartTree> PartTree::decode(std::string_view bytes) {
    ByteReader in(bytes);
    const std::size_t count = in.count();
    if (count == 0 || count > kMaxParts) return ParseError("bad number of parts", 0);
    std::vector<Part> parts(count);
    std::vector<PartIndex> last_child(count, kNoPart);
    for (PartIndex i = 0; i < count; ++i) {
        if (!read_part(in, parts[i])) return ParseError("bad part record", bytes.size() - in.rest().size());
    }
    for (PartIndex i = 0; i < count; ++i) {
        if (!link(parts, last_child, i)) return ParseError("part outside of its parent", 0);
    }
    for (const Part& part : parts) {
        if (part.kind != PartKind::leaf && part.first_child == kNoPart)
            return ParseError("part without its children", 0);
    }
    if (!in.at_end()) return ParseError("bytes after the part tree", bytes.size() - in.rest().size());
    return PartTree(std::move(parts));
}

}  // namespace mailstead::mime
