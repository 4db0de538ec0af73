// Two clients of one account, and whatever they send: framer, parser, every command, and the index below.
//
// Input: a byte (0x80: from the greeting on; the rest: where to cut when all is said again in pieces), then
// what the first client sends. "\0\0\0" hands over to the other client, when the server has answered all so
// far. Each input meets the same account.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "common/runtime/log.h"
#include "fuzz/imap_session_world.h"

using namespace mailstead;
using namespace mailstead::imapd;

namespace {

constexpr std::string_view kHandOver("\0\0\0", 3);

std::vector<Packet> packets_of(std::string_view stream) {
    std::vector<Packet> packets;
    for (std::size_t client = 0;; client ^= 1) {
        const std::size_t end = stream.find(kHandOver);
        packets.push_back({client, stream.substr(0, end)});
        if (end == stream.npos) return packets;
        stream.remove_prefix(end + kHandOver.size());
    }
}

std::vector<Packet> cut_in_two(const std::vector<Packet>& packets, std::size_t choice) {
    std::vector<Packet> pieces;
    for (const Packet& packet : packets) {
        const std::size_t cut = choice % (packet.bytes.size() + 1);
        pieces.push_back({packet.client, packet.bytes.substr(0, cut)});
        pieces.push_back({packet.client, packet.bytes.substr(cut)});
    }
    return pieces;
}

// Thousands of accounts are made and thrown away: they need not meet a disk, nor fill the log.
bool prepare() {
    if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
    log::set_level(log::Level::off, "fuzz");
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
    const StartAt start = (data[0] & 0x80) != 0 ? StartAt::greeting : StartAt::login;
    static const bool prepared = prepare();
    static std::unique_ptr<World> world;
    if (prepared && world == nullptr) world = std::make_unique<World>();

    const std::vector<Packet> packets = packets_of(stream);
    const Heard whole = world->converse(start, packets);
    // Answers to those who change nothing do not depend on how their bytes were cut.
    const std::size_t cut_at = data[0] & 0x7F;
    if (cut_at != 0 && !world->changed()) {
        const Heard cut = world->converse(start, cut_in_two(packets, cut_at));
        if (!world->changed() && cut != whole) std::abort();
    }
    if (world->changed()) {
        world->check_index();
        world.reset();
    }
    return 0;
}
