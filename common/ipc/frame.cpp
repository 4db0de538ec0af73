#include "common/ipc/frame.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"

namespace mailstead::ipc {

namespace {

constexpr std::size_t kHeader = 10;
constexpr std::size_t kBatch = 64;                   // frames in one sendmsg
constexpr std::size_t kMaxPassed = 253;              // descriptors in one sendmsg: the kernel's SCM_MAX_FD
constexpr std::size_t kMaxWaiting = 4 * kMaxPassed;  // descriptors whose frame has not come yet
constexpr std::size_t kReadSize = 64 * 1024;

void take_descriptors(const msghdr& message, std::deque<FileDescriptor>& into) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(const_cast<msghdr*>(&message), part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            into.emplace_back(fd);
        }
    }
}

}  // namespace

FrameQueue::~FrameQueue() {
    for (Entry& entry : frames_) {
        if (is_sensitive(entry.message.type)) wipe(entry.message.payload);
    }
}

void FrameQueue::push(Frame frame) {
    ByteWriter header;
    header.fixed32(static_cast<std::uint32_t>(frame.message.payload.size()));
    header.u8(static_cast<std::uint8_t>(frame.message.type));
    header.fixed32(frame.id);
    header.u8(static_cast<std::uint8_t>(frame.message.descriptors.size()));
    Entry& entry = frames_.emplace_back();
    std::memcpy(entry.header.data(), header.bytes().data(), kHeaderSize);
    entry.message = std::move(frame.message);
    bytes_ += entry.size();
}

ssize_t FrameQueue::send_batch(int socket) {
    std::array<iovec, 2 * kBatch> pieces;
    std::size_t count = 0;
    std::array<int, kMaxPassed> passed;
    std::size_t passing = 0;
    std::size_t skip = offset_;
    std::size_t frames = 0;
    for (Entry& entry : frames_) {
        if (frames == kBatch || passing + entry.message.descriptors.size() > kMaxPassed) break;
        ++frames;
        for (const FileDescriptor& fd : entry.message.descriptors) passed[passing++] = fd.get();
        if (skip < kHeaderSize) pieces[count++] = {entry.header.data() + skip, kHeaderSize - skip};
        const std::size_t from = skip > kHeaderSize ? skip - kHeaderSize : 0;
        if (from < entry.message.payload.size()) {
            pieces[count++] = {entry.message.payload.data() + from, entry.message.payload.size() - from};
        }
        skip = 0;
    }
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxPassed * sizeof(int))> control;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    if (passing != 0) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(passing * sizeof(int));
        cmsghdr* const rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(passing * sizeof(int));
        std::memcpy(CMSG_DATA(rights), passed.data(), passing * sizeof(int));
    }
    ssize_t sent = -1;
    do {
        sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    // The kernel passes all descriptors of a call with its first byte, also those of frames that did not fit
    // any more.
    if (sent > 0) {
        for (std::size_t i = 0; i < frames; ++i) frames_[i].message.descriptors.clear();
    }
    return sent;
}

void FrameQueue::written(std::size_t bytes) {
    bytes_ -= bytes;
    offset_ += bytes;
    while (!frames_.empty() && offset_ >= frames_.front().size()) {
        offset_ -= frames_.front().size();
        if (is_sensitive(frames_.front().message.type)) wipe(frames_.front().message.payload);
        frames_.pop_front();
    }
}

FrameQueue::Outcome FrameQueue::flush(int socket) {
    while (!frames_.empty()) {
        const ssize_t sent = send_batch(socket);
        if (sent < 0) return errno == EAGAIN ? Outcome::blocked : Outcome::failed;
        written(static_cast<std::size_t>(sent));
    }
    return Outcome::all_written;
}

Parsed<FrameReader::Header> FrameReader::read_header() const {
    ByteReader in({memory_.get() + begin_, kHeader});
    Header header;
    header.size = in.fixed32();
    header.type = static_cast<MessageType>(in.u8());
    header.id = in.fixed32();
    header.descriptors = in.u8();
    if (header.size > limits_.max_frame) return ParseError("frame too large", 0);
    if (!is_known(header.type)) return ParseError("unknown message type", 4);
    if (header.descriptors > limits_.max_descriptors) return ParseError("too many descriptors", 9);
    return header;
}

void FrameReader::make_room() {
    std::size_t wanted = kReadSize;
    if (end_ - begin_ >= kHeader) {
        const auto header = read_header();
        if (header) wanted = std::max(wanted, kHeader + header->size);
    }
    if (begin_ == end_) begin_ = end_ = 0;
    // What one large frame needed is not kept.
    if (capacity_ >= wanted && (capacity_ == kReadSize || begin_ != end_)) {
        if (begin_ + wanted <= capacity_ || begin_ == 0) return;
        std::memmove(memory_.get(), memory_.get() + begin_, end_ - begin_);
    } else if (capacity_ != wanted) {
        std::unique_ptr<char[]> memory(new char[wanted]);
        if (begin_ != end_) std::memcpy(memory.get(), memory_.get() + begin_, end_ - begin_);
        memory_ = std::move(memory);
        capacity_ = wanted;
    }
    end_ -= begin_;
    begin_ = 0;
}

FrameReader::Outcome FrameReader::receive(int socket) {
    make_room();
    iovec space{memory_.get() + end_, capacity_ - end_};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxPassed * sizeof(int))> control;
    msghdr message{};
    message.msg_iov = &space;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = -1;
    do {
        got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return errno == EAGAIN ? Outcome::nothing_now : Outcome::failed;
    take_descriptors(message, descriptors_);
    if ((message.msg_flags & MSG_CTRUNC) != 0 || descriptors_.size() > kMaxWaiting) return Outcome::failed;
    if (got == 0) return Outcome::closed;
    end_ += static_cast<std::size_t>(got);
    return Outcome::some;
}

Parsed<std::optional<Frame>> FrameReader::next() {
    if (end_ - begin_ < kHeader) return std::optional<Frame>();
    TRY(header, read_header());
    if (end_ - begin_ < kHeader + header.size) return std::optional<Frame>();
    if (descriptors_.size() < header.descriptors) return ParseError("descriptors are missing", 9);
    char* const payload = memory_.get() + begin_ + kHeader;
    Frame frame;
    frame.id = header.id;
    frame.message.type = header.type;
    frame.message.payload.assign(payload, header.size);
    if (is_sensitive(header.type)) explicit_bzero(payload, header.size);
    for (std::uint8_t i = 0; i < header.descriptors; ++i) {
        frame.message.descriptors.push_back(std::move(descriptors_.front()));
        descriptors_.pop_front();
    }
    begin_ += kHeader + header.size;
    return std::optional<Frame>(std::move(frame));
}

}  // namespace mailstead::ipc
