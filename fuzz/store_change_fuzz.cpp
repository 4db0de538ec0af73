// Changes and results cross a socket, fetch cache records come from disk: whatever the bytes are, decoding
// stays inside them, and what is decoded encodes to something that decodes to the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/change.h"
#include "common/store/fetch_cache.h"

using namespace mailstead::store;

namespace {

void check_change(std::string_view in) {
    const auto change = decode_change(in);
    if (!change) return;
    const std::string bytes = encode(*change);
    const auto again = decode_change(bytes);
    if (!again || encode(*again) != bytes) std::abort();
}

void check_result(std::string_view in) {
    const auto result = decode_result(in);
    if (!result) return;
    const std::string bytes = encode(*result);
    const auto again = decode_result(bytes);
    if (!again || encode(*again) != bytes) std::abort();
}

void check_record(std::string_view in) {
    const auto cached = CachedMessage::read(in);
    if (!cached) return;
    static const FieldRequest request(std::vector<std::string>{"from", "to", "dkim-signature", "references"});
    std::string out;
    (void)cached->append_fields(out, request);
    (void)cached->parts();
    (void)cached->reference_hashes();
    (void)cached->first_field("subject");
    const std::size_t rare = CachedMessage::rare_part(in);
    if (rare > in.size() || !CachedMessage::read(in.substr(0, rare))) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    check_change(in);
    check_result(in);
    check_record(in);
    // The bytes as a message: there is a record for anything.
    const std::string record = build_fetch_cache(in);
    if (record.size() > kMaxFetchCache || !CachedMessage::read(record)) std::abort();
    check_record(record);
    return 0;
}
