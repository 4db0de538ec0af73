// A reply is the same however its bytes are cut, and bounded.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/smtp/capabilities.h"
#include "common/smtp/reply.h"

using namespace mailstead::smtp;

namespace {

std::string read(std::string_view in, std::size_t cut) {
    ReplyParser parser;
    auto used = parser.feed(in.substr(0, cut));
    if (!used) return "error";
    if (!parser.done()) used = parser.feed(in.substr(cut));
    if (!used) return "error";
    if (!parser.done()) return "unfinished";
    const Reply reply = parser.take();
    (void)parse_capabilities(reply);
    std::string out = reply.to_text();
    write_reply(reply, out);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t cut = in.empty() ? 0 : data[0] % in.size();
    if (read(in, in.size()) != read(in, cut)) std::abort();
    return 0;
}
