// Search keys and fetch items: whatever comes, a bounded tree or an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "imapd/proto/fetch_items.h"
#include "imapd/proto/search_key.h"
#include "imapd/proto/search_options.h"

using namespace mailstead::imapd::proto;

namespace {

std::size_t count(const SearchKey& key, unsigned depth) {
    if (depth > 2 * kMaxNesting + 2) std::abort();
    std::size_t nodes = 1;
    for (const SearchKey& child : key.children) nodes += count(child, depth + 1);
    return nodes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    Lexer keys(text);
    if (const auto key = parse_search_keys(keys)) {
        if (count(*key, 0) > 3 * kMaxSearchKeys) std::abort();
        if (excess_of(*key) != nullptr) std::abort();
    }
    Lexer partial(text);
    if (const auto range = parse_partial_range(partial)) {
        const auto places = range->among(7);
        if (places && (places->first > places->last || places->last >= 7)) std::abort();
    }
    Lexer items(text);
    if (const auto parsed = parse_fetch_items(items)) {
        for (const FetchItem& item : *parsed) {
            if (item.kind != FetchKind::section) continue;
            std::string written = "BODY[";
            write_section(written, item.section);
            written += "]";
            Lexer again(written);
            const auto back = parse_fetch_items(again);
            if (!back || back->size() != 1 || !(back->front().section == item.section)) std::abort();
        }
    }
    return 0;
}
