// Looking for a text in a message, as SEARCH BODY and TEXT do, decoding no more than it takes.
#pragma once

#include <string>
#include <string_view>

#include "common/mime/message_text.h"
#include "common/mime/part_tree.h"

namespace mailstead::mime {

// What is looked for, made ready once for many messages. Immutable: any thread.
class TextPattern {
public:
    // `folded` comes from fold_for_search (charset.h).
    explicit TextPattern(std::string folded);

    const std::string& folded() const { return folded_; }
    bool empty() const { return folded_.empty(); }
    bool is_ascii() const { return is_ascii_; }

    // Whether the folded form of this well-formed UTF-8 contains the pattern.
    bool is_in(std::string_view utf8) const;
    // Whether a header that names no encoded word and is ASCII can contain it, by its longest word alone.
    bool can_be_in_plain_header(std::string_view header) const;
    // Whether it reaches over line ends.
    bool has_line_end() const { return has_line_end_; }

private:
    std::string folded_;
    std::string_view longest_word_;  // of folded_, without blanks and colons
    bool is_ascii_ = false;
    bool has_line_end_ = false;

public:
    TextPattern(const TextPattern&) = delete;
    TextPattern& operator=(const TextPattern&) = delete;
};

// What message_contains() answers for the message with these bytes, of which `tree` tells the parts
// (Message::tree()). Reads only headers and text parts of `bytes`; attachments may as well not be in memory.
bool text_contains(std::string_view bytes, const PartTree& tree, TextScope scope, const TextPattern& pattern);

}  // namespace mailstead::mime
