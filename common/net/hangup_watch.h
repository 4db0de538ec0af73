// Notices that a client has gone while its answer is still being made.
#pragma once

#include "common/net/deadline.h"
#include "common/net/stream.h"

namespace mailstead::net {

// Looks at the connection now and then, without reading from it; what is answered sooner costs nothing. A
// client that has closed its side has gone: under TLS nobody does that who wants to hear more; without TLS it
// must have closed both, since there are programs that end their side first and then listen.
// Thread: that of the stream, which outlives the watch.
class HangupWatch final : private Deadline {
public:
    using Gone = void (*)(void* whose);

    // Calls `gone(whose)` at most once, until the watch is destroyed.
    HangupWatch(Stream& stream, Gone gone, void* whose);

private:
    static void on_expire(Deadline& deadline);
    void look();

    Stream& stream_;
    const Gone gone_;
    void* const whose_;
};

}  // namespace mailstead::net
