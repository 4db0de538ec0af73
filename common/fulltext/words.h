// How text becomes words of the full-text index, and what a search pattern demands of them. Pure.
//
// IMAP searches for substrings, so words serve to find where a pattern can be, never to interpret it. Runs of
// letters and digits are words. A long word is kept as overlapping pieces, each kWordPiece bytes from every
// kWordStep on, so that any kWordStep bytes of it lie in one piece. Scripts written without blanks are kept
// as pairs of neighbouring characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailstead::fulltext {

inline constexpr std::size_t kWordPiece = 64;
inline constexpr std::size_t kWordStep = 32;

// The words of a text folded by mime::fold_for_search, in order. Views into the text.
class WordReader {
public:
    explicit WordReader(std::string_view folded) : text_(folded) {}
    // False at the end.
    bool next(std::string_view& word);

private:
    bool next_run();

    std::string_view text_;
    std::size_t at_ = 0;
    std::string_view run_;  // what is left of the current one
    bool pairs_ = false;    // it is written without blanks
};

// One thing that a text must have in order to contain a pattern.
struct Demand {
    enum class Kind {
        exact,     // this word
        part,      // a word that contains this
        ending,    // a word that ends so
        beginning  // a word that begins so
    };
    Kind kind = Kind::exact;
    std::string text;
    friend bool operator==(const Demand&, const Demand&) = default;
};

struct Demands {
    std::vector<Demand> all;
    // A text that meets them contains the pattern for certain.
    bool sufficient = false;
};

// What a folded pattern demands; no demands when it has no letters and digits.
Demands demands_of(std::string_view folded_pattern);

}  // namespace mailstead::fulltext
