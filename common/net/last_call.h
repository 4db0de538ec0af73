// The end of a connection that the server wants to end.
#pragma once

#include <chrono>

#include "common/net/deadline.h"
#include "common/net/stream.h"

namespace mailstead::net {

// From begin() on nothing more is read, so that whoever reads comes to his end and says so to the client; a
// second later the connection is closed, whatever is under way. Thread: that of the stream, which outlives
// this.
class LastCall final : private Deadline {
public:
    explicit LastCall(Stream& stream) : Deadline(&on_expire), stream_(stream) {}

    void begin() {
        if (armed() || !stream_.is_open()) return;
        stream_.stop_reading();
        arm(stream_.context(), Clock::now() + kPatience);
    }
    // While something is under way whose outcome the client must hear, or it would do it again.
    void hold(bool held) { held_ = held; }

private:
    static constexpr std::chrono::seconds kPatience{1};

    static void on_expire(Deadline& deadline) {
        auto& self = static_cast<LastCall&>(deadline);
        if (!self.held_) return self.stream_.close();
        self.arm(self.stream_.context(), Clock::now() + kPatience);
    }

    Stream& stream_;
    bool held_ = false;
};

}  // namespace mailstead::net
