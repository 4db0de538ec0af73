#include "imapd/commands/search_filter.h"

#include <algorithm>
#include <cstring>

#include "common/base/text.h"

namespace mailstead::imapd::commands {
namespace {

using proto::SearchOp;

// Shorter ones are in every message.
constexpr std::size_t kShortestWord = 3;

std::string longest_word(std::string_view pattern) {
    std::string_view longest;
    while (!pattern.empty()) {
        const std::size_t end = pattern.find_first_of(" \t\r\n");
        const std::string_view word = pattern.substr(0, end);
        if (word.size() > longest.size()) longest = word;
        if (end == std::string_view::npos) break;
        pattern.remove_prefix(end + 1);
    }
    return text::lower(longest);
}

void collect(const SearchNode& node, std::vector<std::string>& words) {
    if (node.op == SearchOp::all_of) {
        for (const SearchNode& child : node.children) collect(child, words);
    }
    const bool looks_for_text =
        node.op == SearchOp::text || node.op == SearchOp::body || node.op == SearchOp::header;
    if (!looks_for_text || !node.plain_pattern) return;
    std::string word = longest_word(node.pattern);
    if (word.size() >= kShortestWord) words.push_back(std::move(word));
}

// What makes the text differ from the bytes: 8-bit charsets, ISO-2022 escapes, encoded words, transfer
// encodings, UTF-7, RFC 2231, HZ.
bool says_everything_plainly(std::string_view message) {
    for (const char c : message) {
        if (static_cast<unsigned char>(c) >= 0x80 || c == '\x1B') return false;
    }
    for (const std::string_view sign : {"base64", "quoted-printable", "utf-7", "hz-gb", "x-uu"}) {
        if (find_word(message, sign) != std::string_view::npos) return false;
    }
    return message.find("=?") == std::string_view::npos && message.find("*=") == std::string_view::npos;
}

}  // namespace

std::vector<std::string> indispensable_words(const SearchNode& plan) {
    std::vector<std::string> words;
    collect(plan, words);
    return words;
}

// memchr for both cases of the first letter, then the rest.
std::size_t find_word(std::string_view text, std::string_view word) {
    if (word.empty()) return 0;
    const char low = word.front();
    const char high = text::to_upper(low);
    const auto next = [&](char c, std::size_t from) {
        const void* at =
            from < text.size() ? std::memchr(text.data() + from, c, text.size() - from) : nullptr;
        return at == nullptr ? text.size()
                             : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
    };
    std::size_t a = next(low, 0);
    std::size_t b = low == high ? text.size() : next(high, 0);
    while (true) {
        const std::size_t at = std::min(a, b);
        if (at + word.size() > text.size()) return std::string_view::npos;
        const auto same = [](char x, char y) { return x == text::to_lower(y); };
        if (std::equal(word.begin() + 1, word.end(), text.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                       same))
            return at;
        if (at == a) a = next(low, at + 1);
        if (at == b) b = next(high, at + 1);
    }
}

bool cannot_match(std::string_view message, const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        if (find_word(message, word) == std::string_view::npos) return says_everything_plainly(message);
    }
    return false;
}

}  // namespace mailstead::imapd::commands
