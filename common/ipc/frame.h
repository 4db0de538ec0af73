// Frames on a Unix stream socket. Private to common/ipc.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "common/ipc/channel.h"

namespace mailstead::ipc {

struct Frame {
    std::uint32_t id = 0;
    Message message;
};

// Frames to be written, in order. A batch of them goes out in one sendmsg, straight from the payloads.
class FrameQueue {
public:
    enum class Outcome : std::uint8_t { all_written, blocked, failed };

    ~FrameQueue();
    void push(Frame frame);
    Outcome flush(int socket);
    bool empty() const { return frames_.empty(); }
    std::size_t bytes() const { return bytes_; }

private:
    static constexpr std::size_t kHeaderSize = 10;
    struct Entry {
        std::array<char, kHeaderSize> header;
        Message message;
        std::size_t size() const { return kHeaderSize + message.payload.size(); }
    };
    ssize_t send_batch(int socket);
    void written(std::size_t bytes);

    std::deque<Entry> frames_;
    std::size_t offset_ = 0;  // of the first frame, written already
    std::size_t bytes_ = 0;
};

// Puts frames together from what arrives.
class FrameReader {
public:
    enum class Outcome : std::uint8_t { some, nothing_now, closed, failed };

    explicit FrameReader(const ChannelLimits& limits) : limits_(limits) {}
    // One recvmsg.
    Outcome receive(int socket);
    // The next whole frame; nullopt when more must come. After an error the connection is of no use.
    Parsed<std::optional<Frame>> next();

private:
    struct Header {
        std::uint32_t size = 0;
        MessageType type = MessageType::done;
        std::uint32_t id = 0;
        std::uint8_t descriptors = 0;
    };
    Parsed<Header> read_header() const;
    void make_room();

    ChannelLimits limits_;
    std::unique_ptr<char[]> memory_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::deque<FileDescriptor> descriptors_;  // arrived, in order; each frame takes as many as it names
};

}  // namespace mailstead::ipc
