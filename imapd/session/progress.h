// When a command that takes long says so (RFC 9585).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/net/deadline.h"
#include "imapd/session/connection.h"

namespace mailstead::imapd {

// One session's. Thread: that of the connection.
class Progress : private net::Deadline {
public:
    // `connection` outlives it.
    explicit Progress(Connection& connection);
    ~Progress() { disarm(); }

    // A command begins. `interval` 0: whenever it is asked.
    void begin(std::string tag, std::chrono::milliseconds interval, bool wanted);
    // Whether it is time to say something; then it is not for another interval.
    bool is_due();
    // `* OK [INPROGRESS ("tag" 175 1000)] Still at it`; without a number NIL.
    void write(std::string& out, std::optional<std::uint64_t> done, std::optional<std::uint64_t> goal) const;

    // While the session waits for somebody else and writes nothing itself: says so on its own.
    void keep_alive();
    void stop() { disarm(); }

private:
    static void on_expire(net::Deadline& deadline);

    Connection& connection_;
    std::string tag_;
    std::chrono::milliseconds interval_{};
    Clock::time_point next_{};
    bool wanted_ = false;
};

}  // namespace mailstead::imapd
