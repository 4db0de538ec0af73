#include "common/mime/message.h"

#include <algorithm>
#include <cstring>

#include "common/base/text.h"
#include "common/mime/encoded_word.h"
#include "common/mime/utf8.h"

namespace mailstead::mime {
namespace {

std::string_view without_trailing_blanks(std::string_view s) {
    while (!s.empty() && (text::is_space(s.back()) || s.back() == '\r')) s.remove_suffix(1);
    return s;
}

// token "/" token; anything else is no type, and RFC 2045, 5.2 has it read as text/plain.
void set_type(PartFields& fields, ParameterizedValue parsed) {
    const std::size_t slash = parsed.value.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == parsed.value.size()) return;
    fields.type = parsed.value.substr(0, slash);
    fields.subtype = parsed.value.substr(slash + 1);
    fields.parameters = std::move(parsed.parameters);
}

std::string_view present(std::string_view trimmed, std::string_view body) {
    return trimmed.empty() ? body.substr(0, 0) : trimmed;
}

// What of the header has been seen, so that the first of equal fields counts.
struct Seen {
    bool type = false;
    bool encoding = false;
    bool disposition = false;
};

void take_content_field(const HeaderField& field, PartFields& fields, Seen& seen) {
    const std::string_view what = field.name.substr(8);
    const auto keep = [&](std::string_view& view) {
        if (view.data() == nullptr) view = present(text::trim(field.body), field.body);
    };
    if (text::iequals(what, "type")) {
        if (!seen.type) set_type(fields, parse_parameterized(field.body));
        seen.type = true;
    } else if (text::iequals(what, "transfer-encoding")) {
        if (!seen.encoding) fields.encoding = parse_parameterized(field.body).value;
        seen.encoding = true;
    } else if (text::iequals(what, "disposition")) {
        if (!seen.disposition) {
            auto parsed = parse_parameterized(field.body);
            fields.disposition = std::move(parsed.value);
            fields.disposition_parameters = std::move(parsed.parameters);
        }
        seen.disposition = true;
    } else if (text::iequals(what, "id")) {
        keep(fields.id);
    } else if (text::iequals(what, "description")) {
        keep(fields.description);
    } else if (text::iequals(what, "md5")) {
        keep(fields.md5);
    } else if (text::iequals(what, "language")) {
        keep(fields.language);
    } else if (text::iequals(what, "location")) {
        keep(fields.location);
    }
}

bool is_content_field(std::string_view name) {
    return name.size() > 8 && text::to_lower(name[0]) == 'c' && text::istarts_with(name, "content-");
}

}  // namespace

const std::string* PartFields::parameter(std::string_view name) const {
    return find_parameter(parameters, name);
}

std::string PartFields::file_name() const {
    const std::string* name = find_parameter(disposition_parameters, "filename");
    if (name == nullptr) name = parameter("name");
    return name == nullptr ? std::string{} : decode_encoded_words(*name);
}

// Content-Language = language-tag *( "," language-tag )   (RFC 3282, 2)
std::vector<std::string> parse_languages(std::string_view body) {
    std::vector<std::string> out;
    std::string tag;
    int comment = 0;
    const auto finish = [&] {
        if (!tag.empty()) out.push_back(std::move(tag));
        tag.clear();
    };
    for (const char c : body) {
        if (c == '(') ++comment;
        if (comment > 0) {
            if (c == ')') --comment;
            continue;
        }
        if (c == ',' || c == ';') finish();
        if (out.size() >= kMaxLanguages) return out;
        const bool kept = text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '*';
        if (kept && tag.size() < 64) tag += c;
    }
    finish();
    return out;
}

// Walks the lines once. `open_` holds the parts that are not finished, from the root to the innermost;
// `boundaries_` those of the open multiparts.
class MessageParser {
public:
    explicit MessageParser(std::string_view bytes) : bytes_(bytes) {}

    Message run() {
        begin_part(kNoPart, false);
        while (at_ < bytes_.size()) {
            if (boundaries_.empty()) {
                pass_lines(bytes_.size());
                break;
            }
            take_body_line();
        }
        finish_open_parts(0, bytes_.size(), lines_);
        Message message;
        message.bytes_ = bytes_;
        message.tree_ = PartTree(std::move(parts_));
        message.fields_ = std::move(fields_);
        message.has_bare_lf_ = has_bare_lf_;
        message.is_ascii_ = is_all_ascii(bytes_);
        return message;
    }

private:
    struct OpenPart {
        PartIndex index;
        PartIndex last_child = kNoPart;
        std::uint64_t lines_before = 0;  // line ends of the message before the body
    };
    struct Boundary {
        std::string text;
        std::size_t depth;  // of its multipart in open_
    };
    struct Line {
        std::string_view content;  // without line end
        std::size_t next;          // where the next one begins
    };

    Line line_at(std::size_t at) const {
        const void* lf = std::memchr(bytes_.data() + at, '\n', bytes_.size() - at);
        if (lf == nullptr) return {bytes_.substr(at), bytes_.size()};
        const auto end = static_cast<std::size_t>(static_cast<const char*>(lf) - bytes_.data());
        return {bytes_.substr(at, end - at), end + 1};
    }

    void count_line_end(std::size_t next) {
        if (bytes_[next - 1] != '\n') return;
        ++lines_;
        if (next < 2 || bytes_[next - 2] != '\r') has_bare_lf_ = true;
    }

    void pass_lines(std::size_t end) {
        while (at_ < end) {
            at_ = line_at(at_).next;
            count_line_end(at_);
        }
    }

    // Parts begin at at_, a message in a message at once with the one around it.
    void begin_part(PartIndex parent, bool in_digest) {
        while (true) {
            const PartIndex index = add_part(parent);
            const std::size_t end = header_end();
            // RFC 2046, 5.1.5: what a digest holds is a message unless it says otherwise.
            if (in_digest) {
                fields_[index].type = "message";
                fields_[index].subtype = "rfc822";
            }
            read_fields(bytes_.substr(at_, end - at_), index);
            pass_lines(end);
            parts_[index].body_begin = at_;
            open_.push_back({index, kNoPart, lines_});
            decide_kind(index);
            if (parts_[index].kind != PartKind::message) return;
            parent = index;
            in_digest = false;
        }
    }

    PartIndex add_part(PartIndex parent) {
        const auto index = static_cast<PartIndex>(parts_.size());
        Part part;
        part.header_begin = at_;
        part.parent = parent;
        parts_.push_back(part);
        fields_.emplace_back();
        if (parent != kNoPart) {
            PartIndex& last = open_.back().last_child;
            (last == kNoPart ? parts_[parent].first_child : parts_[last].next_sibling) = index;
            last = index;
        }
        return index;
    }

    // The header ends after its blank line, or before a line that is a boundary of a part around it.
    std::size_t header_end() const {
        if (boundaries_.empty()) return at_ + header_size(bytes_.substr(at_));
        std::size_t at = at_;
        while (at < bytes_.size()) {
            const Line line = line_at(at);
            if (line.content.empty() || line.content == "\r") return line.next;
            if (line.content.starts_with("--") && find_boundary(line.content) != nullptr) return at;
            at = line.next;
        }
        return at;
    }

    void read_fields(std::string_view header, PartIndex index) {
        HeaderReader reader(header);
        Seen seen;
        while (const auto field = reader.next()) {
            if (is_content_field(field->name)) take_content_field(*field, fields_[index], seen);
        }
        parts_[index].encoding = parse_transfer_encoding(fields_[index].encoding);
    }

    void decide_kind(PartIndex index) {
        Part& part = parts_[index];
        PartFields& fields = fields_[index];
        const bool message =
            fields.type == "message" && (fields.subtype == "rfc822" || fields.subtype == "global");
        const bool multipart = fields.type == "multipart";
        if ((message || multipart) && (open_.size() >= kMaxDepth || parts_.size() >= kMaxParts)) {
            fields.type = "application";
            fields.subtype = "octet-stream";
            fields.parameters.clear();
        } else if (message) {
            part.kind = PartKind::message;
        } else if (multipart) {
            open_multipart(part, fields);
        }
        part.is_text = fields.type == "text";
    }

    void open_multipart(Part& part, PartFields& fields) {
        const std::string* parameter = fields.parameter("boundary");
        std::string boundary(without_trailing_blanks(parameter == nullptr ? std::string_view{} : *parameter));
        if (boundary.empty()) return become_text(part, fields);
        if (boundary.size() > kMaxBoundary) boundary.resize(kMaxBoundary);
        part.kind = PartKind::multipart;
        boundaries_.push_back({std::move(boundary), open_.size() - 1});
    }

    static void become_text(Part& part, PartFields& fields) {
        part.kind = PartKind::leaf;
        part.is_text = true;
        fields.type = "text";
        fields.subtype = "plain";
        fields.parameters.clear();
    }

    // The boundary that a line beginning with "--" stands for: the longest that it begins with, the innermost
    // of equals.
    const Boundary* find_boundary(std::string_view line) const {
        line = without_trailing_blanks(line.substr(2));
        const Boundary* best = nullptr;
        for (auto boundary = boundaries_.rbegin(); boundary != boundaries_.rend(); ++boundary) {
            const bool longer = best == nullptr || boundary->text.size() > best->text.size();
            if (longer && line.starts_with(boundary->text)) best = &*boundary;
        }
        return best;
    }

    void take_body_line() {
        const Line line = line_at(at_);
        const Boundary* boundary = nullptr;
        if (line.content.starts_with("--") && !full_) boundary = find_boundary(line.content);
        if (boundary == nullptr) {
            at_ = line.next;
            count_line_end(at_);
            return;
        }
        const std::string_view after = line.content.substr(2 + boundary->text.size());
        // close-delimiter = delimiter "--"   (RFC 2046, 5.1.1)
        const bool closing = after.starts_with("--");
        if (!closing && parts_.size() >= kMaxParts) {
            full_ = true;
            return;
        }
        const std::size_t depth = boundary->depth;
        finish_parts_before_boundary(depth + 1);
        while (!boundaries_.empty() && boundaries_.back().depth > depth) boundaries_.pop_back();
        at_ = line.next;
        count_line_end(at_);
        if (closing) {
            boundaries_.pop_back();
        } else {
            const PartIndex parent = open_.back().index;
            begin_part(parent, fields_[parent].subtype == "digest");
        }
    }

    // The line end before a boundary belongs to the boundary (RFC 2046, 5.1.1).
    void finish_parts_before_boundary(std::size_t depth) {
        std::size_t end = at_;
        std::uint64_t lines = lines_;
        if (end > 0 && bytes_[end - 1] == '\n') {
            --end;
            --lines;
            if (end > 0 && bytes_[end - 1] == '\r') --end;
        }
        finish_open_parts(depth, end, lines);
    }

    // All open parts from `depth` inwards end at `end`. Where a header took the line end before the boundary,
    // its part and all around it end after that, so that they still hold it.
    void finish_open_parts(std::size_t depth, std::size_t end, std::uint64_t lines) {
        while (open_.size() > depth) {
            const OpenPart open = open_.back();
            open_.pop_back();
            Part& part = parts_[open.index];
            if (end < part.body_begin) {
                end = at_;
                lines = lines_;
            }
            part.body_end = end;
            part.lines =
                static_cast<std::uint32_t>(std::min<std::uint64_t>(lines - open.lines_before, UINT32_MAX));
            if (part.kind == PartKind::multipart && part.first_child == kNoPart)
                become_text(part, fields_[open.index]);
        }
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    std::uint64_t lines_ = 0;  // line ends before at_
    bool has_bare_lf_ = false;
    bool full_ = false;  // kMaxParts reached: boundaries stand for themselves
    std::vector<Part> parts_;
    std::vector<PartFields> fields_;
    std::vector<OpenPart> open_;
    std::vector<Boundary> boundaries_;
};

Message Message::parse(std::string_view bytes) {
    return MessageParser(bytes).run();
}

std::string_view Message::header(PartIndex i) const {
    return view({tree_[i].header_begin, tree_[i].body_begin});
}

std::string_view Message::body(PartIndex i) const {
    return view({tree_[i].body_begin, tree_[i].body_end});
}

std::string_view Message::view(ByteRange range) const {
    return bytes_.substr(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.size()));
}

}  // namespace mailstead::mime
