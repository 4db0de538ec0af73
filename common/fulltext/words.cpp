#include "common/fulltext/words.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/mime/utf8.h"

namespace mailstead::fulltext {
namespace {

enum class Script { none, words, pairs };

// Folded text is decomposed: accents and Hangul's letters are characters of their own.
Script script_of(char32_t c) {
    if (c < 0x80) {
        const char ascii = static_cast<char>(c);
        return text::is_alpha(ascii) || text::is_digit(ascii) ? Script::words : Script::none;
    }
    const bool punctuation = c < 0xAA || (c >= 0x2000 && c < 0x2070) ||
                             (c >= 0x3000 && c < 0x3040 && c != 0x3005) || c == mime::kBadCharacter;
    if (punctuation) return Script::none;
    // From the CJK radicals on, which symbols and pictures follow; and what South East Asia writes.
    const bool without_blanks = c >= 0x2E80 || (c >= 0x0E00 && c < 0x0F00) || (c >= 0x1000 && c < 0x10A0) ||
                                (c >= 0x1780 && c < 0x1800);
    return without_blanks ? Script::pairs : Script::words;
}

struct Run {
    std::string_view text;
    Script script = Script::none;
};

// The next run at or after `at`, which is moved past it; an empty one at the end.
Run find_run(std::string_view folded, std::size_t& at) {
    Run run;
    std::size_t begin = at;
    while (at < folded.size()) {
        const std::size_t before = at;
        const Script script = script_of(mime::next_character(folded, at));
        if (run.script == Script::none) {
            begin = before;
            run.script = script;
        } else if (script != run.script) {
            at = before;
            break;
        }
    }
    if (run.script != Script::none) run.text = folded.substr(begin, at - begin);
    return run;
}

std::size_t first_character(std::string_view s) {
    std::size_t at = 0;
    mime::next_character(s, at);
    return at;
}

// What is left of a run loses its first word.
std::string_view take_word(std::string_view& run, bool pairs) {
    std::string_view word = run;
    if (!pairs) {
        word = run.substr(0, kWordPiece);
        run.remove_prefix(word.size() == run.size() ? run.size() : kWordStep);
        return word;
    }
    const std::size_t first = first_character(run);
    if (first < run.size()) word = run.substr(0, first + first_character(run.substr(first)));
    run.remove_prefix(word.size() == run.size() ? run.size() : first);
    return word;
}

void demand_words(Demands& demands, const Run& run) {
    std::string_view left = run.text;
    while (!left.empty()) {
        demands.all.push_back(
            {Demand::Kind::exact, std::string(take_word(left, run.script == Script::pairs))});
    }
}

// A run at an end of the pattern may go on in the text.
void demand_run(Demands& demands, const Run& run, bool open_left, bool open_right) {
    using Kind = Demand::Kind;
    if (run.script == Script::pairs) {
        const bool single = first_character(run.text) == run.text.size();
        if (single && (open_left || open_right)) {
            demands.all.push_back({Kind::part, std::string(run.text)});
        } else {
            demand_words(demands, run);
        }
        return;
    }
    if (!open_left && !open_right) return demand_words(demands, run);
    const std::size_t kept = std::min(run.text.size(), kWordStep);
    if (open_left && open_right) {
        demands.all.push_back({Kind::part, std::string(run.text.substr(0, kept))});
    } else if (open_left) {
        demands.all.push_back({Kind::ending, std::string(run.text.substr(run.text.size() - kept))});
    } else {
        demands.all.push_back({Kind::beginning, std::string(run.text.substr(0, kept))});
    }
}

}  // namespace

bool WordReader::next_run() {
    const Run run = find_run(text_, at_);
    run_ = run.text;
    pairs_ = run.script == Script::pairs;
    return !run_.empty();
}

bool WordReader::next(std::string_view& word) {
    if (run_.empty() && !next_run()) return false;
    word = take_word(run_, pairs_);
    return true;
}

Demands demands_of(std::string_view folded_pattern) {
    Demands demands;
    std::size_t at = 0;
    std::string_view only;
    while (true) {
        const Run run = find_run(folded_pattern, at);
        if (run.text.empty()) break;
        only = run.text;
        demand_run(demands, run, run.text.data() == folded_pattern.data(), at == folded_pattern.size());
    }
    demands.sufficient = demands.all.size() == 1 && demands.all.front().text == folded_pattern;
    return demands;
}

}  // namespace mailstead::fulltext
