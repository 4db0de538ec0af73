#include "imapd/proto/list_pattern.h"

#include "common/base/text.h"

namespace mailstead::imapd::proto {
namespace {

bool same(char pattern, char name, bool fold) {
    return pattern == name || (fold && text::to_lower(pattern) == text::to_lower(name));
}

}  // namespace

// Greedy with one point of return for each kind of wildcard: a later "*" makes earlier wildcards final, and
// so does a "%" the
// "%" before it as long as it stays within its level.
bool matches_list_pattern(std::string_view pattern, std::string_view name, char separator) {
    const bool inbox = name == "INBOX" || name.starts_with(std::string("INBOX") + separator);
    std::size_t p = 0, n = 0;
    std::size_t star = std::string_view::npos, star_name = 0;
    std::size_t percent = std::string_view::npos, percent_name = 0;
    for (;;) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = ++p;
            star_name = n;
            percent = std::string_view::npos;
            continue;
        }
        if (p < pattern.size() && pattern[p] == '%') {
            percent = ++p;
            percent_name = n;
            continue;
        }
        if (p == pattern.size() && n == name.size()) return true;
        if (p < pattern.size() && n < name.size() && same(pattern[p], name[n], inbox && n < 5)) {
            ++p;
            ++n;
            continue;
        }
        if (percent != std::string_view::npos && percent_name < name.size() &&
            name[percent_name] != separator) {
            p = percent;
            n = ++percent_name;
            continue;
        }
        percent = std::string_view::npos;
        if (star == std::string_view::npos || star_name >= name.size()) return false;
        p = star;
        n = ++star_name;
    }
}

std::string join_reference(std::string_view reference, std::string_view pattern, char separator) {
    if (reference.empty()) return std::string(pattern);
    std::string joined(reference);
    if (joined.back() == separator && pattern.starts_with(separator)) joined.pop_back();
    joined += pattern;
    return joined;
}

std::string simplify_list_pattern(std::string_view pattern) {
    std::string simple;
    simple.reserve(pattern.size());
    for (const char c : pattern) {
        const bool wild = c == '*' || c == '%';
        const bool after_wild = !simple.empty() && (simple.back() == '*' || simple.back() == '%');
        if (!wild || !after_wild) {
            simple += c;
        } else if (c == '*') {
            simple.back() = '*';
        }
    }
    return simple;
}

}  // namespace mailstead::imapd::proto
