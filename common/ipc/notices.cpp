#include "common/ipc/notices.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/net/listener.h"
#include "common/net/stream.h"

namespace mailstead::ipc {

namespace {

constexpr std::size_t kMaxDatagram = 32 * 1024;
constexpr int kMakeUpInterval = 200;  // ms; to the next attempt to tell a receiver that it lost something
constexpr std::size_t kMaxMailboxes = 64;  // more of one account: look at all

struct UnixAddress {
    explicit UnixAddress(const std::string& path) {
        native.sun_family = AF_UNIX;
        fits = path.size() < sizeof native.sun_path;
        if (fits) std::memcpy(native.sun_path, path.data(), path.size());
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&native); }
    sockaddr_un native{};
    bool fits = false;
};

void merge(ChangeNotice& into, const ChangeNotice& from) {
    into.modseq = std::max(into.modseq, from.modseq);
    if (from.index != ChangeNotice::Index::as_before) into.index = from.index;
    if (into.mailboxes.empty() || from.mailboxes.empty()) {
        into.mailboxes.clear();
        return;
    }
    for (const MailboxId mailbox : from.mailboxes) {
        if (std::ranges::find(into.mailboxes, mailbox) == into.mailboxes.end())
            into.mailboxes.push_back(mailbox);
    }
    if (into.mailboxes.size() > kMaxMailboxes) into.mailboxes.clear();
}

void write_notice(ByteWriter& out, const ChangeNotice& notice) {
    out.varint(notice.account.value);
    out.varint(notice.modseq.value);
    out.u8(static_cast<std::uint8_t>(notice.index));
    const bool all = notice.mailboxes.size() > kMaxMailboxes;
    out.varint(all ? 0 : notice.mailboxes.size());
    if (all) return;
    for (const MailboxId mailbox : notice.mailboxes) out.varint(mailbox.value);
}

}  // namespace

std::string NoticeBatch::encode() const {
    ByteWriter out;
    out.fixed64(sequence);
    out.varint(notices.size());
    for (const ChangeNotice& notice : notices) write_notice(out, notice);
    return out.take();
}

Parsed<NoticeBatch> NoticeBatch::decode(std::string_view bytes) {
    ByteReader in(bytes);
    NoticeBatch batch;
    batch.sequence = in.fixed64();
    const std::size_t count = in.count();
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
        ChangeNotice notice;
        notice.account = AccountId(in.varint32());
        notice.modseq = ModSeq(in.varint());
        const std::uint8_t index = in.u8();
        if (index > static_cast<std::uint8_t>(ChangeNotice::Index::replaced))
            return ParseError("unknown state of an index", 0);
        notice.index = static_cast<ChangeNotice::Index>(index);
        const std::size_t mailboxes = in.count();
        if (mailboxes > kMaxMailboxes) return ParseError("too many mailboxes", 0);
        for (std::size_t k = 0; k < mailboxes; ++k) notice.mailboxes.emplace_back(in.varint32());
        batch.notices.push_back(std::move(notice));
    }
    if (!in.ok() || !in.at_end()) return ParseError("malformed notice", 0);
    return batch;
}

NoticeSender::~NoticeSender() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

NoticeSender::Sent NoticeSender::send_one(const std::string& datagram) {
    const auto try_it = [&] {
        return ::send(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    };
    const auto why_not = [] {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? Sent::full : Sent::away;
    };
    if (socket_ && try_it()) return Sent::yes;
    if (socket_ && errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET) return why_not();
    // Not connected, or the receiver was started anew.
    const UnixAddress address(path_);
    socket_ = FileDescriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_ || !address.fits || ::connect(socket_.get(), address.get(), sizeof address.native) != 0) {
        socket_.reset();
        return Sent::away;
    }
    return try_it() ? Sent::yes : why_not();
}

bool NoticeSender::send_started() {
    const std::lock_guard lock(mutex_);
    const Sent sent = send_one(NoticeBatch{++sequence_, {}}.encode());
    if (sent == Sent::full) make_up_later();
    return sent == Sent::yes;
}

bool NoticeSender::send(std::span<const ChangeNotice> notices) {
    std::map<AccountId, ChangeNotice> by_account;
    for (const ChangeNotice& notice : notices) {
        const auto [entry, is_new] = by_account.try_emplace(notice.account, notice);
        if (!is_new) merge(entry->second, notice);
    }
    const std::lock_guard lock(mutex_);
    Sent last = Sent::yes;
    bool all_sent = true;
    auto next = by_account.begin();
    while (next != by_account.end()) {
        // A number is used up even by a datagram that is lost: that is how the receiver learns of it.
        NoticeBatch batch{++sequence_, {}};
        std::size_t size = 16;
        for (; next != by_account.end() && size < kMaxDatagram - 1024; ++next) {
            size += 16 + 5 * std::min(next->second.mailboxes.size(), kMaxMailboxes);
            batch.notices.push_back(std::move(next->second));
        }
        last = send_one(batch.encode());
        all_sent &= last == Sent::yes;
    }
    // A later datagram that arrives shows the gap; after the last one nothing would. A receiver that is away
    // looks everywhere anyway when it comes back.
    lost_ = false;
    if (last == Sent::full) make_up_later();
    return all_sent;
}

void NoticeSender::make_up_later() {
    lost_ = true;
    if (!thread_.joinable()) thread_ = std::thread([this] { make_up(); });
    wake_.notify_all();
}

// Waits until the socket takes datagrams again, and sends one that shows the gap.
void NoticeSender::make_up() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (!lost_) {
            wake_.wait(lock);
            continue;
        }
        // Of its own, since send() may replace the socket meanwhile.
        const FileDescriptor socket(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
        lock.unlock();
        pollfd waiting{socket.get(), POLLOUT, 0};
        (void)::poll(&waiting, 1, kMakeUpInterval);
        lock.lock();
        if (stopping_ || !lost_) continue;
        lost_ = send_one(NoticeBatch{++sequence_, {}}.encode()) == Sent::full;
        // Poll may call a socket writable whose receiver has no room.
        if (lost_)
            wake_.wait_for(lock, std::chrono::milliseconds(kMakeUpInterval), [this] { return stopping_; });
    }
}

Result<FileDescriptor> bind_notices(const std::string& path) {
    return net::bind_unix_datagram(path, 0600);
}

struct NoticeReceiver::State {
    State(boost::asio::io_context& context, FileDescriptor bound) : socket(context, std::move(bound)) {}

    // All that is there now.
    void take(Received& received) {
        std::array<char, kMaxDatagram> buffer;
        std::map<AccountId, std::size_t> seen;
        for (int i = 0; i < 256; ++i) {
            const ssize_t size = ::recv(socket.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (size < 0) return;
            const auto batch = NoticeBatch::decode({buffer.data(), static_cast<std::size_t>(size)});
            if (!batch) continue;
            // A number that falls means that the sender was started anew.
            if (batch->sequence != expected && (expected != 0 || batch->sequence != 1)) received.lost = true;
            expected = batch->sequence + 1;
            for (const ChangeNotice& notice : batch->notices) {
                const auto [entry, is_new] = seen.try_emplace(notice.account, received.notices.size());
                if (is_new) {
                    received.notices.push_back(notice);
                } else {
                    merge(received.notices[entry->second], notice);
                }
            }
        }
    }

    net::Stream socket;
    std::uint64_t expected = 0;
};

NoticeReceiver::NoticeReceiver(boost::asio::io_context& context, FileDescriptor bound)
    : state_(std::make_unique<State>(context, std::move(bound))) {}
NoticeReceiver::~NoticeReceiver() = default;

net::Task<net::IoResult<Received>> NoticeReceiver::receive(net::Timeout timeout) {
    for (;;) {
        Received received;
        state_->take(received);
        if (received.lost || !received.notices.empty()) co_return received;
        const auto waited = co_await state_->socket.wait_readable(timeout);
        if (!waited) co_return waited.error();
    }
}

}  // namespace mailstead::ipc
