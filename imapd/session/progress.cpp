#include "imapd/session/progress.h"

#include <algorithm>

#include "imapd/proto/response.h"

namespace mailstead::imapd {

Progress::Progress(Connection& connection) : net::Deadline(&on_expire), connection_(connection) {}

void Progress::begin(std::string tag, std::chrono::milliseconds interval, bool wanted) {
    tag_ = std::move(tag);
    interval_ = interval;
    wanted_ = wanted;
    next_ = Clock::now() + interval;
}

bool Progress::is_due() {
    if (!wanted_) return false;
    const auto now = Clock::now();
    if (now < next_) return false;
    next_ = now + interval_;
    return true;
}

// "INPROGRESS" SP "(" inprogress-tag SP (number / nil) SP (nz-number / nil) ")"   (RFC 9585, 5)
void Progress::write(std::string& out, std::optional<std::uint64_t> done,
                     std::optional<std::uint64_t> goal) const {
    const auto number = [&out](std::optional<std::uint64_t> n) {
        out += ' ';
        if (n) {
            proto::write_number(out, *n);
        } else {
            out += "NIL";
        }
    };
    out += "* OK [INPROGRESS (";
    // RFC 9585, 4: a tag with "]" would end the response code for some.
    if (tag_.find(']') == std::string::npos) {
        proto::write_string(out, tag_);
    } else {
        out += "NIL";
    }
    // RFC 9585, 4: the goal is reached when the command is over, not before.
    number(done && goal && *goal != 0 ? std::min(*done, *goal - 1) : done);
    number(done && goal && *goal != 0 ? goal : std::nullopt);
    out += ")] Still at it\r\n";
}

void Progress::keep_alive() {
    const auto pause = std::max(interval_, std::chrono::milliseconds(1));
    if (wanted_) arm(connection_.stream().context(), Clock::now() + pause);
}

void Progress::on_expire(net::Deadline& deadline) {
    auto& progress = static_cast<Progress&>(deadline);
    progress.write(progress.connection_.out(), std::nullopt, std::nullopt);
    progress.connection_.flush_now();
    progress.keep_alive();
}

}  // namespace mailstead::imapd
