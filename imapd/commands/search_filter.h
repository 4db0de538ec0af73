// Tells without parsing that a message cannot match a text search: most messages do not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "imapd/commands/search_plan.h"

namespace mailstead::imapd::commands {

// Words, in lower case and without blanks, one of each key at the top of the conjunction that looks for text:
// a message whose bytes say everything plainly must contain all of them. Empty when there are none.
std::vector<std::string> indispensable_words(const SearchNode& plan);

// Whether the message is plain ASCII without transfer encodings, encoded words or escapes, and lacks one of
// the words.
bool cannot_match(std::string_view message, const std::vector<std::string>& words);

// The position of `word` (lower case) in `text`, ASCII case aside; npos if it is not there.
std::size_t find_word(std::string_view text, std::string_view word);

}  // namespace mailstead::imapd::commands
