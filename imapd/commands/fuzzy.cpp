#include "imapd/commands/fuzzy.h"

#include <algorithm>
#include <optional>

#include "common/base/text.h"
#include "common/mime/charset.h"
#include "common/mime/encoded_word.h"

namespace mailstead::imapd::commands {
namespace {

using proto::SearchKey;
using proto::SearchOp;

constexpr std::size_t kExtraKeys = 512;  // that loosening may add

bool is_word_char(char c) {
    return text::is_alpha(c) || text::is_digit(c) || static_cast<unsigned char>(c) >= 0x80;
}

bool has_vowel(std::string_view word) {
    return word.find_first_of("aeiouyAEIOUY") != std::string_view::npos;
}

struct Ending {
    std::string_view text;
    std::size_t left;  // characters that must remain
};
constexpr Ending kEndings[] = {
    {"ings", 3}, {"ing", 3}, {"edly", 4}, {"ies", 4}, {"ed", 4},
    {"ers", 4},  {"er", 4},  {"ly", 4},   {"es", 4},  {"s", 3},
};

bool is_text_key(const SearchKey& key) {
    const bool text = key.op == SearchOp::text || key.op == SearchOp::body || key.op == SearchOp::header;
    return text && !key.text.empty();
}

std::size_t count_texts(const SearchKey& key) {
    std::size_t n = key.op == SearchOp::text || key.op == SearchOp::body ? 1 : 0;
    for (const SearchKey& child : key.children) n += count_texts(child);
    return n;
}

class Loosener {
public:
    explicit Loosener(const SearchKey& whole) : texts_(count_texts(whole)) {}

    void visit(SearchKey& key, bool loosely) {
        if (key.op == SearchOp::fuzzy) {
            SearchKey inner = std::move(key.children.front());
            key = std::move(inner);
            visit(key, true);
            return;
        }
        if (loosely && is_text_key(key)) return replace(key);
        for (SearchKey& child : key.children) visit(child, loosely);
    }

    std::vector<FuzzyTerm> take() { return std::move(terms_); }

private:
    void replace(SearchKey& key) {
        const std::vector<std::string> words = words_of(key.text);
        if (words.empty()) return;
        remember(key, words);
        const bool reads_files = key.op != SearchOp::header;
        const std::size_t more = words.size() - 1;
        const bool fits =
            extra_ + more <= kExtraKeys && (!reads_files || texts_ + more <= proto::kMaxTextKeys);
        if (!fits) return;  // matched as a whole
        extra_ += more;
        if (reads_files) texts_ += more;
        SearchKey all;
        all.op = SearchOp::all_of;
        for (const std::string& word : words) {
            SearchKey one;
            one.op = key.op;
            one.field = key.field;
            one.text = stem_of(word);
            all.children.push_back(std::move(one));
        }
        if (all.children.size() == 1) {
            SearchKey only = std::move(all.children.front());
            all = std::move(only);
        }
        key = std::move(all);
    }

    void remember(const SearchKey& key, const std::vector<std::string>& words) {
        FuzzyTerm term;
        term.op = key.op;
        term.field = text::lower(key.field);
        term.phrase = mime::fold_for_search(key.text);
        for (const std::string& word : words)
            term.words.push_back({mime::fold_for_search(word), mime::fold_for_search(stem_of(word))});
        terms_.push_back(std::move(term));
    }

    std::size_t texts_;
    std::size_t extra_ = 0;
    std::vector<FuzzyTerm> terms_;
};

// ---- scores, in hundredths

// A whole word, a word that begins so, its stem, or an inside.
unsigned grade(const FuzzyTerm::Word& word, std::string_view text) {
    unsigned best = 0;
    for (std::size_t at = text.find(word.stem); at != std::string_view::npos;
         at = text.find(word.stem, at + 1)) {
        if (at != 0 && is_word_char(text[at - 1])) {
            best = std::max(best, 40u);
            continue;
        }
        const std::string_view rest = text.substr(at);
        if (!rest.starts_with(word.whole)) {
            best = std::max(best, 65u);
            continue;
        }
        const bool ends = rest.size() == word.whole.size() || !is_word_char(rest[word.whole.size()]);
        if (ends) return 100;
        best = std::max(best, 80u);
    }
    return best;
}

// A text of a message and what it counts.
struct Place {
    std::string text;  // folded
    unsigned weight;   // hundredths
};

std::string folded_field(const store::CachedMessage& cached, std::string_view name) {
    const auto field = cached.first_field(name);
    if (!field || field->empty()) return {};
    const std::size_t colon = field->find(':');
    return mime::fold_for_search(mime::decode_encoded_words(field->substr(colon + 1), 4096));
}

// The texts of one message, folded when first asked for.
class Places {
public:
    explicit Places(const store::CachedMessage& cached) : cached_(cached) {}

    const Place& subject() { return get(subject_, "subject", 100); }
    const Place& from() { return get(from_, "from", 80); }
    const Place& to() { return get(to_, "to", 60); }
    const Place& preview() {
        if (!preview_) preview_ = Place{mime::fold_for_search(cached_.preview()), 50};
        return *preview_;
    }
    Place field(std::string_view name) const { return {folded_field(cached_, name), 100}; }

private:
    const Place& get(std::optional<Place>& place, std::string_view name, unsigned weight) {
        if (!place) place = Place{folded_field(cached_, name), weight};
        return *place;
    }
    const store::CachedMessage& cached_;
    std::optional<Place> subject_, from_, to_, preview_;
};

// What a match counts that lies where the fetch cache does not reach.
constexpr unsigned kElsewhere = 15;

unsigned score(const FuzzyTerm& term, const std::vector<const Place*>& places) {
    unsigned sum = 0;
    for (const FuzzyTerm::Word& word : term.words) {
        unsigned best = kElsewhere;
        for (const Place* place : places)
            best = std::max(best, grade(word, place->text) * place->weight / 100);
        sum += best;
    }
    const unsigned words = sum / static_cast<unsigned>(term.words.size());
    if (term.words.size() == 1) return words;
    // Words that stand together as they were asked for say more than the same words scattered.
    for (const Place* place : places) {
        if (place->text.find(term.phrase) != std::string::npos)
            return std::min(100u, std::max(words, place->weight));
    }
    return words * 85 / 100;
}

unsigned score(const FuzzyTerm& term, Places& places) {
    if (term.op == SearchOp::header) {
        const Place place = places.field(term.field);
        return score(term, {&place});
    }
    if (term.op == SearchOp::body) return score(term, {&places.preview()});
    return score(term, {&places.subject(), &places.from(), &places.to(), &places.preview()});
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size() && words.size() < kMaxFuzzyWords;) {
        if (!is_word_char(text[at])) {
            ++at;
            continue;
        }
        std::size_t end = at;
        while (end < text.size() && is_word_char(text[end])) ++end;
        std::string word(text.substr(at, end - at));
        if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
        at = end;
    }
    return words;
}

std::string stem_of(std::string_view word) {
    if (!text::is_ascii(word)) return std::string(word);
    for (const Ending& ending : kEndings) {
        if (word.size() < ending.text.size() + ending.left) continue;
        if (!text::iequals(word.substr(word.size() - ending.text.size()), ending.text)) continue;
        std::string_view stem = word.substr(0, word.size() - ending.text.size());
        if (!has_vowel(stem)) break;
        const char last = text::to_lower(stem.back());
        if (ending.text == "s" && (last == 's' || last == 'u' || last == 'i'))
            break;  // "class", "status", "this"
        // "running" comes from "run"
        const bool doubled = stem.size() > 3 && ending.text != "s" && stem[stem.size() - 2] == stem.back() &&
                             std::string_view("lsz").find(last) == std::string_view::npos;
        if (doubled) stem.remove_suffix(1);
        return std::string(stem);
    }
    return std::string(word);
}

std::vector<FuzzyTerm> loosen(SearchKey& key) {
    Loosener loosener(key);
    loosener.visit(key, false);
    return loosener.take();
}

std::uint8_t relevancy_of(const std::vector<FuzzyTerm>& terms, const store::CachedMessage& cached) {
    if (terms.empty()) return 100;
    Places places(cached);
    unsigned sum = 0;
    for (const FuzzyTerm& term : terms) sum += score(term, places);
    return static_cast<std::uint8_t>(std::clamp(sum / static_cast<unsigned>(terms.size()), 1u, 100u));
}

}  // namespace mailstead::imapd::commands
