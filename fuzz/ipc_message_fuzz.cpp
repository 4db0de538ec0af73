// What decodes, encodes to the same bytes again.
#include <cstdlib>
#include <string_view>

#include "common/ipc/messages.h"
#include "common/ipc/notices.h"
#include "common/ipc/session_messages.h"

namespace {

template <class Value>
void check(std::string_view bytes) {
    const auto decoded = Value::decode(bytes);
    if (!decoded) return;
    const std::string again = decoded->encode();
    const auto twice = Value::decode(again);
    if (!twice || twice->encode() != again) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    using namespace mailstead::ipc;
    if (size < 1) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 16) {
        case 0:
            check<DeliverMessage>(bytes);
            break;
        case 1:
            check<AuthStep>(bytes);
            break;
        case 2:
            check<AuthAnswer>(bytes);
            break;
        case 3:
            check<ApplyChange>(bytes);
            break;
        case 4:
            check<LedgerLine>(bytes);
            break;
        case 5:
            check<QueueCommand>(bytes);
            break;
        case 6:
            check<StatusAnswer>(bytes);
            check<DamageReport>(bytes);
            break;
        case 7:
            check<DeliverAnswer>(bytes);
            break;
        case 8:
            check<Hello>(bytes);
            break;
        case 9:
            check<QuotaQuestion>(bytes);
            break;
        case 10:
            check<NoticeBatch>(bytes);
            break;
        case 12:
            check<SessionOrders>(bytes);
            break;
        case 13:
            check<SessionCheck>(bytes);
            break;
        case 14:
            check<SessionResult>(bytes);
            break;
        case 15:
            check<KickCommand>(bytes);
            break;
        default:
            check<ChangeAnswer>(bytes);
            break;
    }
    return 0;
}
