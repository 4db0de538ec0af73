#include "common/net/hangup_watch.h"

#include <poll.h>

namespace mailstead::net {

namespace {

constexpr std::chrono::milliseconds kInterval{200};

bool has_gone(const Stream& stream) {
    if (!stream.is_open()) return true;
    pollfd asked{stream.native_handle(), POLLRDHUP, 0};
    if (::poll(&asked, 1, 0) <= 0) return false;
    const int telling = POLLHUP | POLLERR | POLLNVAL | (stream.is_tls() ? POLLRDHUP : 0);
    return (asked.revents & telling) != 0;
}

}  // namespace

HangupWatch::HangupWatch(Stream& stream, Gone gone, void* whose)
    : Deadline(&on_expire), stream_(stream), gone_(gone), whose_(whose) {
    if (stream_.is_open()) arm(stream_.context(), Clock::now() + kInterval);
}

void HangupWatch::on_expire(Deadline& deadline) {
    static_cast<HangupWatch&>(deadline).look();
}

void HangupWatch::look() {
    if (has_gone(stream_)) return gone_(whose_);
    arm(stream_.context(), Clock::now() + kInterval);
}

}  // namespace mailstead::net
