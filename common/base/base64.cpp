#include "common/base/base64.h"

#include <sodium.h>

namespace mailstead {
namespace {

std::optional<std::string> decode(std::string_view text, const char* ignore, int variant) {
    std::string out(text.size() / 4 * 3 + 3, '\0');
    std::size_t length = 0;
    const char* end = nullptr;
    const int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                         text.data(), text.size(), ignore, &length, &end, variant);
    if (failed != 0 || end != text.data() + text.size()) return std::nullopt;
    out.resize(length);
    return out;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                      bytes.size(), sodium_base64_VARIANT_ORIGINAL);
    out.pop_back();  // the terminating zero
    return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
    return decode(text, nullptr, sodium_base64_VARIANT_ORIGINAL);
}

std::optional<std::string> base64_decode_folded(std::string_view text) {
    std::string packed;
    packed.reserve(text.size());
    for (const char c : text) {
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') packed += c;
    }
    while (!packed.empty() && packed.back() == '=') packed.pop_back();
    return decode(packed, nullptr, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

}  // namespace mailstead
