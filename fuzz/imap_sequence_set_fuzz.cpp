// Sequence sets: resolved ranges are sorted and apart, and reading what was written gives them again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "imapd/proto/sequence_set.h"

using namespace mailstead::imapd::proto;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Lexer in(std::string_view(reinterpret_cast<const char*>(data), size));
    const auto set = SequenceSet::parse(in);
    if (!set || set->is_saved_result()) return 0;
    const auto ranges = set->resolve(1000);
    std::uint64_t before = 0;
    for (const NumberRange& r : ranges) {
        if (r.first == 0 || r.first > r.last || (before != 0 && r.first <= before + 1)) std::abort();
        before = r.last;
    }
    std::string written;
    write_ranges(written, ranges);
    Lexer again(written);
    const auto back = SequenceSet::parse(again);
    if (!back || back->resolve(1) != ranges) std::abort();
    return 0;
}
