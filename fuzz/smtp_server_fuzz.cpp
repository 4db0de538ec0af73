// A whole session says the same however the client's bytes are cut, and nobody relays without logging in.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/unit/smtpd/fake_session.h"

using namespace mailstead::smtpd;
using namespace mailstead::smtpd::testing;

namespace {

std::string run(const Profile& profile, bool tls, std::string_view in, std::size_t cut) {
    World world;
    FakeSession session(profile, world, tls);
    session.feed(in.substr(0, cut));
    session.feed(in.substr(cut));
    for (const Delivered& delivered : world.delivered) {
        if (session.core().identity() || profile.service == Service::submission) continue;
        for (const Recipient& recipient : delivered.transaction.recipients) {
            if (!recipient.targets.remote.empty()) std::abort();
        }
    }
    return session.take_replies() + std::to_string(world.delivered.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view in(reinterpret_cast<const char*>(data) + 2, size - 2);
    const Profile profile = (data[0] & 1) != 0 ? submission_profile() : exchange_profile();
    const bool tls = (data[0] & 2) != 0;
    // What follows STARTTLS in the same packet is dropped on purpose, so there the cut matters.
    if (!tls && in.find_first_of("sS") != std::string_view::npos) {
        run(profile, tls, in, in.size());
        return 0;
    }
    const std::size_t cut = in.empty() ? 0 : data[1] % in.size();
    if (run(profile, tls, in, in.size()) != run(profile, tls, in, cut)) std::abort();
    return 0;
}
