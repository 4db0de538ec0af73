#include "common/mailauth/tag_list.h"

#include <algorithm>

#include "common/base/text.h"

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kMaxTags = 64;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// tag-name = ALPHA *ALNUMPUNC    ALNUMPUNC = ALPHA / DIGIT / "_"
bool is_tag_name(std::string_view name) {
    return !name.empty() && text::is_alpha(name.front()) && std::all_of(name.begin(), name.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || c == '_';
    });
}

}  // namespace

// tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
// tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
Parsed<TagList> TagList::parse(std::string_view text) {
    TagList list;
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto offset = static_cast<std::size_t>(rest.data() - text.data());
        const std::string_view spec = text::trim(text::next_field(rest, ';'));
        if (spec.empty()) {
            // Only the last one may be empty; several in a row are let pass, as other verifiers do.
            continue;
        }
        const std::size_t equals = spec.find('=');
        if (equals == spec.npos) return ParseError("tag without \"=\"", offset);
        const Tag tag{text::trim(spec.substr(0, equals)), text::trim(spec.substr(equals + 1))};
        if (!is_tag_name(tag.name)) return ParseError("malformed tag name", offset);
        // RFC 6376, 3.2: tags with duplicate names make the whole list invalid.
        if (list.find(tag.name) != nullptr) return ParseError("duplicate tag", offset);
        if (list.tags_.size() == kMaxTags) return ParseError("too many tags", offset);
        list.tags_.push_back(tag);
    }
    return list;
}

const Tag* TagList::find(std::string_view name) const {
    const auto at =
        std::find_if(tags_.begin(), tags_.end(), [&](const Tag& tag) { return tag.name == name; });
    return at == tags_.end() ? nullptr : &*at;
}

std::string TagList::compact(std::string_view name) const {
    const Tag* tag = find(name);
    return tag == nullptr ? std::string() : without_blanks(tag->value);
}

std::string without_blanks(std::string_view value) {
    std::string out;
    out.reserve(value.size());
    std::copy_if(value.begin(), value.end(), std::back_inserter(out), [](char c) { return !is_blank(c); });
    return out;
}

std::vector<std::string> split_list(std::string_view value, char separator, std::size_t limit) {
    std::vector<std::string> items;
    while (!value.empty() && items.size() < limit) {
        items.emplace_back(text::trim(text::next_field(value, separator)));
    }
    return items;
}

}  // namespace mailstead::mailauth
