#include "imapd/session/compression.h"

#include <algorithm>
#include <array>
#include <limits>

#include <zlib.h>

namespace mailstead::imapd {
namespace {

// RFC 4978, 4: raw DEFLATE has negative window bits. The client may use any window, so that inflating needs
// the largest: 32 KiB, which zlib takes when it first has to look back. What we send is ours to choose: 4 KiB
// of window and as much of hash tables, 32 KiB together instead of the usual 256 KiB, still halve IMAP's
// answers and more.
constexpr int kInflateWindow = -15;
constexpr int kDeflateWindow = -12;
constexpr int kDeflateMemory = 5;
constexpr int kLevel = 3;
constexpr std::size_t kPiece = 16 * 1024;

Bytef* bytes_of(std::string_view text) {
    return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}
uInt size_of(std::size_t size) {
    return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace

struct Compression::State {
    z_stream in{};
    z_stream out{};
    bool deflating = false;  // `out` is set up
    bool more = false;
    bool ending = false;
    bool ended = false;
    std::array<Bytef, 4> tail{};  // of the bytes that were inflated

    bool begin_deflate() {
        if (deflating) return true;
        out = z_stream{};
        deflating = deflateInit2(&out, kLevel, Z_DEFLATED, kDeflateWindow, kDeflateMemory,
                                 Z_DEFAULT_STRATEGY) == Z_OK;
        return deflating;
    }
    void note_taken(const Bytef* begin, const Bytef* end) {
        for (const Bytef* at = end - std::min<std::ptrdiff_t>(end - begin, 4); at != end; ++at) {
            std::rotate(tail.begin(), tail.begin() + 1, tail.end());
            tail.back() = *at;
        }
    }
    // RFC 1951, 3.2.4: a flush ends with an empty stored block, whose lengths are 00 00 and FF FF. zlib sets
    // bit 7 behind a block; bits 0 to 2 count what is left of the last byte.
    bool is_behind_flush() const {
        constexpr std::array<Bytef, 4> kLengths{0, 0, 0xFF, 0xFF};
        return (in.data_type & 128) != 0 && (in.data_type & 7) == 0 && tail == kLengths;
    }
    ~State() {
        inflateEnd(&in);
        if (deflating) deflateEnd(&out);
    }
};

std::unique_ptr<Compression> Compression::create() {
    auto state = std::make_unique<State>();
    if (inflateInit2(&state->in, kInflateWindow) != Z_OK || !state->begin_deflate()) return nullptr;
    return std::unique_ptr<Compression>(new Compression(std::move(state)));
}

Compression::Compression(std::unique_ptr<State> state) : state_(std::move(state)) {}
Compression::~Compression() = default;

bool Compression::deflate(std::string_view plain, std::string& out) {
    if (plain.empty()) return true;
    if (!state_->begin_deflate()) return false;
    z_stream& z = state_->out;
    z.next_in = bytes_of(plain);
    std::size_t left = plain.size();
    std::array<char, kPiece> piece;
    do {
        z.avail_in = size_of(left);
        const std::size_t given = z.avail_in;
        z.next_out = reinterpret_cast<Bytef*>(piece.data());
        z.avail_out = kPiece;
        const int how = given == left ? Z_SYNC_FLUSH : Z_NO_FLUSH;
        const int result = ::deflate(&z, how);
        if (result != Z_OK && result != Z_BUF_ERROR) return false;
        left -= given - z.avail_in;
        out.append(piece.data(), kPiece - z.avail_out);
    } while (left != 0 || z.avail_out == 0);
    return true;
}

void Compression::rest() {
    if (state_->deflating) deflateEnd(&state_->out);
    state_->deflating = false;
}

Compression::Step Compression::inflate(std::string_view packed, std::span<char> plain) {
    z_stream& z = state_->in;
    Step step;
    z.next_in = bytes_of(packed);
    z.avail_in = size_of(packed.size());
    z.next_out = reinterpret_cast<Bytef*>(plain.data());
    z.avail_out = size_of(plain.size());
    const std::size_t given = z.avail_in;
    const std::size_t room = z.avail_out;
    // Block by block: what follows the client's last block, when its compression ends, is no DEFLATE and must
    // stay where it is.
    for (;;) {
        const Bytef* const start = z.next_in;
        const int result = ::inflate(&z, Z_BLOCK);
        state_->note_taken(start, z.next_in);
        if (result == Z_STREAM_END) {
            inflateReset(&z);
            state_->ended = state_->ending;
        } else if (result != Z_OK && result != Z_BUF_ERROR) {
            step.damaged = true;
        } else {
            state_->ended = state_->ending && state_->is_behind_flush();
        }
        const bool stuck = result == Z_BUF_ERROR || z.avail_in == 0 || z.avail_out != room;
        if (step.damaged || state_->ended || stuck) break;
    }
    step.taken = given - z.avail_in;
    step.made = room - z.avail_out;
    step.damaged = step.damaged || (state_->ending && step.made != 0);
    state_->more = z.avail_out == 0 && !state_->ended;
    return step;
}

bool Compression::has_more() const {
    return state_->more;
}

void Compression::end() {
    state_->ending = true;
    state_->more = false;
    state_->ended = state_->is_behind_flush();
}

bool Compression::has_ended() const {
    return state_->ended;
}

}  // namespace mailstead::imapd
