// The text of a message for people: for SEARCH and for PREVIEW.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "common/mime/message.h"

namespace mailstead::mime {

struct TextBounds {
    std::size_t part = 8 * 1024 * 1024;    // bytes of UTF-8 of one part; what is longer is cut
    std::size_t total = 64 * 1024 * 1024;  // of all parts
};

// body: what SEARCH BODY looks at: text parts, and the headers of encapsulated messages.
// whole: what SEARCH TEXT looks at: these, the header of the message, and the headers of its parts.
enum class TextScope { body, whole };

// Gives the sink one piece for each text part (transfer encoding removed, in UTF-8) and for each header
// (fields unfolded, encoded words decoded, one field a line). A piece is valid during the call. Stops when
// the sink returns false; returns false then.
bool text_of_message(const Message& message, TextScope scope,
                     const std::function<bool(std::string_view)>& sink, const TextBounds& bounds = {});

// The same pieces of the whole scope, each with whether SEARCH BODY looks at it, too.
bool text_of_message(const Message& message,
                     const std::function<bool(std::string_view piece, bool in_body)>& sink,
                     const TextBounds& bounds = {});

// Whether some piece of the text contains the pattern; `folded_pattern` comes from fold_for_search
// (charset.h).
bool message_contains(const Message& message, TextScope scope, std::string_view folded_pattern,
                      const TextBounds& bounds = {});

// The text of one part without transfer encoding, in UTF-8.
std::string part_text(const Message& message, PartIndex part, std::size_t limit = TextBounds{}.part);

// The first words of the message (RFC 8970, 3.1): at most `characters` characters (256 is the most allowed
// there) of the first text/plain part, or the first text/html part stripped of its markup; blanks run
// together. Empty when there is no text.
std::string preview(const Message& message, std::size_t characters = 200);

}  // namespace mailstead::mime
