// Fuzzy search (RFC 6203): all words of a text in any order, words by their stems, and how well a message
// fits. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/fetch_cache.h"
#include "imapd/proto/search_key.h"

namespace mailstead::imapd::commands {

inline constexpr std::size_t kMaxFuzzyWords = 16;  // of one text; what follows is not looked for

// The words of a text: runs of letters and digits, and of everything beyond ASCII.
std::vector<std::string> words_of(std::string_view text);
// An English word without its usual endings, at least three characters with a vowel; other words as they are.
std::string stem_of(std::string_view word);

// One text that was to be matched loosely.
struct FuzzyTerm {
    struct Word {
        std::string whole;  // folded, as is `stem`
        std::string stem;
    };
    proto::SearchOp op = proto::SearchOp::text;  // text, body or header
    std::string field;                           // of header
    std::string phrase;                          // folded
    std::vector<Word> words;
};

// Replaces each FUZZY key by keys that match exactly what it matches loosely, and returns its texts. Keys
// that are not texts match exactly (RFC 6203, 5). The bounds of search keys still hold.
std::vector<FuzzyTerm> loosen(proto::SearchKey& key);

// 1 to 100: how well a message that matched fits. Whole words count more than beginnings of words, these more
// than insides; the subject more than names, these more than the first words of the body, these more than the
// rest of it.
std::uint8_t relevancy_of(const std::vector<FuzzyTerm>& terms, const store::CachedMessage& cached);

}  // namespace mailstead::imapd::commands
