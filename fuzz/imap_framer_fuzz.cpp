// The framer and the parser behind it give the same answers however the bytes are cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/unit/imapd/proto/split.h"

using namespace mailstead::imapd::proto;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    constexpr FramerLimits kTight{60, 150, 40};
    const FramerLimits limits = (data[0] & 1) != 0 ? kTight : kLimitsBeforeLogin;
    const std::string whole = record(bytes, limits);
    const std::size_t cut = bytes.empty() ? 0 : data[0] % bytes.size();
    if (record(bytes, limits, {cut}) != whole) std::abort();
    if (record_bytewise(bytes, limits) != whole) std::abort();
    return 0;
}
