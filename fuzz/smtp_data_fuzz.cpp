// A message body decodes the same however its bytes are cut; what comes out has no bare CR or LF and encodes
// back to what came in.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/smtp/chunk.h"
#include "common/smtp/data_decoder.h"
#include "common/smtp/data_encoder.h"

using namespace mailstead::smtp;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

bool clean(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) return false;
        if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) return false;
    }
    return true;
}

struct Decoded {
    std::string text;
    std::size_t used = 0;
    bool done = false;
    std::optional<BodyFault> fault;
};

Decoded decode(std::string_view in, std::size_t cut) {
    DataDecoder decoder({.message_octets = 4096, .header_octets = 512});
    Decoded result;
    result.used = decoder.feed(in.substr(0, cut), result.text);
    if (!decoder.done()) result.used += decoder.feed(in.substr(cut), result.text);
    result.done = decoder.done();
    result.fault = decoder.fault();
    return result;
}

void check_data(std::string_view in, std::size_t cut) {
    const Decoded whole = decode(in, in.size());
    const Decoded parts = decode(in, cut);
    require(whole.used == parts.used && whole.done == parts.done);
    if (!whole.done) return;
    require(whole.fault == parts.fault);
    if (whole.fault) return;
    require(whole.text == parts.text && clean(whole.text));
    DataEncoder encoder;
    std::string wire;
    encoder.feed(std::string_view(whole.text).substr(0, cut % (whole.text.size() + 1)), wire);
    encoder.feed(std::string_view(whole.text).substr(cut % (whole.text.size() + 1)), wire);
    encoder.finish(wire);
    const Decoded again = decode(wire, wire.size());
    require(again.done && again.text == whole.text);
}

void check_chunk(std::string_view in, std::size_t cut) {
    ChunkDecoder decoder;
    std::string out;
    decoder.begin_chunk(cut, false);
    decoder.feed(in.substr(0, cut), out);
    decoder.begin_chunk(in.size() - cut, true);
    decoder.feed(in.substr(cut), out);
    require(decoder.done());
    decoder.finish(out);
    require(decoder.fault() || clean(out));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t cut = in.empty() ? 0 : data[0] % in.size();
    check_data(in, cut);
    check_chunk(in, cut);
    return 0;
}
