// A whole POP3 session says the same however the client's bytes are cut, shows nothing before login, and
// never removes what it was not told to.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/unit/imapd/pop3/fake_session.h"

using namespace mailstead::imapd::pop3;

namespace {

std::string run(bool tls, std::string_view in, std::size_t cut) {
    const Profile profile{"pop.example.org", {}, {}};
    World world;
    std::string said;
    FakeSession session(profile, world, tls);
    session.feed(in.substr(0, cut));
    session.feed(in.substr(cut));
    said = session.take();
    if (!session.core().is_logged_in() && said.find("Subject:") != std::string::npos) std::abort();
    if (world.updates > 1 || (world.updates == 1 && !session.closed())) std::abort();
    return said + std::to_string(world.removed.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view in(reinterpret_cast<const char*>(data) + 2, size - 2);
    const bool tls = (data[0] & 1) != 0;
    // What follows STLS in the same packet is dropped on purpose, so there the cut matters.
    if (!tls && in.find_first_of("sS") != std::string_view::npos) {
        run(tls, in, in.size());
        return 0;
    }
    const std::size_t cut = in.empty() ? 0 : data[1] % in.size();
    if (run(tls, in, in.size()) != run(tls, in, cut)) std::abort();
    return 0;
}
