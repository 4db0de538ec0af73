#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <span>

#include "common/base/text.h"
#include "common/mime/charset.h"
#include "common/mime/utf8.h"

namespace mailstead::mime {
namespace {

// What a character becomes: `length` characters of kPool.
struct Entry {
    std::uint32_t character : 24;
    std::uint32_t length : 8;
    std::uint32_t pool;
    constexpr Entry(std::uint32_t c, std::uint32_t at, std::uint32_t n)
        : character(c & 0xFFFFFF), length(n & 0xFF), pool(at) {}
};

#include "common/mime/case_folding_table.inc"

constexpr std::size_t kPages = 0x110000 >> 8;

// For each 256 characters where their entries begin, so that scripts without case cost one look.
std::array<std::uint16_t, kPages + 1> make_pages() {
    std::array<std::uint16_t, kPages + 1> pages{};
    std::size_t entry = 0;
    for (std::size_t page = 0; page <= kPages; ++page) {
        while (entry < std::size(kEntries) && std::size_t{kEntries[entry].character} >> 8 < page) ++entry;
        pages[page] = static_cast<std::uint16_t>(entry);
    }
    return pages;
}

const Entry* find_entry(char32_t c) {
    static const auto pages = make_pages();
    const Entry* begin = kEntries + pages[c >> 8];
    const Entry* end = kEntries + pages[(c >> 8) + 1];
    const Entry* entry =
        std::lower_bound(begin, end, c, [](const Entry& e, char32_t value) { return e.character < value; });
    return entry != end && entry->character == c ? entry : nullptr;
}

// Where the run of ASCII that begins at `at` ends.
std::size_t end_of_ascii(std::string_view s, std::size_t at) {
    while (at + 8 <= s.size() && is_all_ascii(s.substr(at, 8))) at += 8;
    while (at < s.size() && static_cast<unsigned char>(s[at]) < 0x80) ++at;
    return at;
}

}  // namespace

std::string fold_for_search(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    for (std::size_t at = 0; at < utf8.size();) {
        if (static_cast<unsigned char>(utf8[at]) < 0x80) {
            const std::size_t end = end_of_ascii(utf8, at);
            const std::size_t before = out.size();
            out.append(utf8.substr(at, end - at));
            for (std::size_t i = before; i < out.size(); ++i) out[i] = text::to_upper(out[i]);
            at = end;
            continue;
        }
        const std::size_t begin = at;
        const char32_t c = next_character(utf8, at);
        if (c == kBadCharacter) {
            out.append(kReplacement);
        } else if (const Entry* entry = find_entry(c)) {
            for (std::uint32_t i = 0; i < entry->length; ++i) append_character(out, kPool[entry->pool + i]);
        } else {
            out.append(utf8.substr(begin, at - begin));
        }
    }
    return out;
}

}  // namespace mailstead::mime
