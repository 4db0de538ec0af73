#include "common/mime/headers.h"

#include <algorithm>
#include <cstring>

#include "common/base/text.h"

namespace mailstead::mime {
namespace {

// The line at `at` with its LF; all that is left when there is no LF.
std::string_view line_at(std::string_view bytes, std::size_t at) {
    const void* lf = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
    if (lf == nullptr) return bytes.substr(at);
    return bytes.substr(at, static_cast<std::size_t>(static_cast<const char*>(lf) - (bytes.data() + at)) + 1);
}

bool is_blank_line(std::string_view line) {
    return line == "\r\n" || line == "\n";
}

std::string_view without_line_end(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

// field-name = 1*%d33-57/%d59-126, obsolete blanks after it (RFC 5322, 2.2 and 4.5); 8-bit bytes are let
// through. Gives how long the name is, or 0; `colon` is where the body starts.
std::size_t name_length(std::string_view line, std::size_t& colon) {
    std::size_t i = 0;
    while (i < line.size() && line[i] != ':' && static_cast<unsigned char>(line[i]) > ' ' && line[i] != 0x7F)
        ++i;
    colon = i;
    while (colon < line.size() && text::is_space(line[colon])) ++colon;
    return colon < line.size() && line[colon] == ':' ? i : 0;
}

}  // namespace

bool HeaderField::is(std::string_view other) const {
    return text::iequals(name, other);
}

std::string HeaderField::value() const {
    return unfold(body);
}

std::string unfold(std::string_view body, std::size_t limit) {
    body = text::trim(body).substr(0, limit);
    std::string out;
    out.reserve(body.size());
    std::size_t at = 0;
    while (at < body.size()) {
        const std::size_t lf = std::min(body.find('\n', at), body.size());
        std::size_t end = lf;
        if (lf < body.size() && end > at && body[end - 1] == '\r') --end;
        out.append(body.substr(at, end - at));
        at = lf + 1;
    }
    return out;
}

std::optional<HeaderField> HeaderReader::next() {
    while (!done_ && at_ < bytes_.size()) {
        const std::size_t begin = at_;
        const std::string_view first = line_at(bytes_, at_);
        at_ += first.size();
        if (is_blank_line(first)) {
            done_ = true;
            break;
        }
        while (at_ < bytes_.size() && text::is_space(bytes_[at_])) at_ += line_at(bytes_, at_).size();
        std::size_t colon = 0;
        const std::size_t name = name_length(first, colon);
        if (name == 0 || count_ >= kMaxHeaderFields || at_ > kMaxHeaderBytes) continue;
        ++count_;
        const std::string_view raw = bytes_.substr(begin, at_ - begin);
        return HeaderField{raw.substr(0, name), without_line_end(raw).substr(colon + 1), raw};
    }
    done_ = true;
    return std::nullopt;
}

std::size_t header_size(std::string_view message) {
    HeaderReader reader(message);
    while (reader.next()) {
    }
    return reader.end();
}

std::optional<HeaderField> find_field(std::string_view message, std::string_view name) {
    HeaderReader reader(message);
    while (auto field = reader.next()) {
        if (field->is(name)) return field;
    }
    return std::nullopt;
}

std::optional<HeaderField> find_last_field(std::string_view message, std::string_view name) {
    HeaderReader reader(message);
    std::optional<HeaderField> last;
    while (auto field = reader.next()) {
        if (field->is(name)) last = field;
    }
    return last;
}

std::optional<std::string> find_value(std::string_view message, std::string_view name) {
    const auto field = find_field(message, name);
    if (!field) return std::nullopt;
    return field->value();
}

std::string select_fields(std::string_view header, std::span<const std::string> names,
                          FieldSelection selection) {
    std::string out;
    HeaderReader reader(header);
    std::size_t previous_end = 0;
    while (auto field = reader.next()) {
        const bool named =
            std::any_of(names.begin(), names.end(), [&](const auto& name) { return field->is(name); });
        if (named == (selection == FieldSelection::only_these)) out.append(field->raw);
        previous_end = reader.end();
    }
    // The blank line, if the header has one, is what was read last; lines of junk before it are not part of
    // any field.
    const std::string_view rest = header.substr(previous_end, reader.end() - previous_end);
    if (rest.ends_with("\r\n") && (rest.size() == 2 || rest[rest.size() - 3] == '\n')) {
        out += "\r\n";
    } else if (rest.ends_with('\n') && (rest.size() == 1 || rest[rest.size() - 2] == '\n')) {
        out += "\n";
    }
    return out;
}

}  // namespace mailstead::mime
