// The tag=value lists of DKIM signatures and key records (RFC 6376, 3.2).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace mailstead::mailauth {

struct Tag {
    std::string_view name;   // case counts
    std::string_view value;  // without the blanks around it; folds inside stay
};

class TagList {
public:
    // Views into `text`, which must outlive the list. At most 64 tags.
    static Parsed<TagList> parse(std::string_view text);

    const Tag* find(std::string_view name) const;
    // The value without any blanks and line ends inside; empty if the tag is not there.
    std::string compact(std::string_view name) const;
    const std::vector<Tag>& tags() const { return tags_; }

private:
    std::vector<Tag> tags_;
};

// `value` without blanks and line ends.
std::string without_blanks(std::string_view value);
// The pieces of a list such as h=, blanks around each removed; at most `limit`, the rest left out.
std::vector<std::string> split_list(std::string_view value, char separator, std::size_t limit);

}  // namespace mailstead::mailauth
