// Any bytes as a response: no crash, no endless name; what is found fits the question.
#include <cstdlib>
#include <string_view>

#include "common/dns/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    using namespace mailstead::dns;
    if (size < 1) return 0;
    constexpr RecordType kTypes[] = {RecordType::a,    RecordType::aaaa, RecordType::mx,    RecordType::txt,
                                     RecordType::tlsa, RecordType::ptr,  RecordType::cname, RecordType::srv};
    const Question question{"x.example", kTypes[data[0] % 8]};
    const auto answer = read_response({reinterpret_cast<const char*>(data) + 1, size - 1}, question, true);
    if (answer && answer->found() == answer->records.empty()) std::abort();
    return 0;
}
