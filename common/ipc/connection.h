// What both ends of a channel do. Private to common/ipc.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/ipc/frame.h"
#include "common/net/event.h"
#include "common/net/stream.h"
#include "common/net/task_group.h"

namespace mailstead::ipc {

// One connection: reads frames and hands them to on_frame; writes what was pushed, all that is pushed within
// one round of the event loop in one system call. Thread: that of the stream. Kept alive by its tasks.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    // `tasks` must outlive the connection.
    Connection(net::Stream stream, const ChannelLimits& limits, net::TaskGroup& tasks);
    virtual ~Connection() = default;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Until the connection ends or the task is asked to stop. The reason.
    static net::Task<std::string> read_all(std::shared_ptr<Connection> self);
    // Queues a frame; nothing when closed.
    void push(Frame frame);
    std::size_t queued_bytes() const { return out_.bytes(); }
    bool is_open() const { return open_; }
    // Ends at once; read_all returns.
    void close();

protected:
    // False: the peer broke the protocol, `problem` says how.
    virtual bool on_frame(Frame frame, std::string& problem) = 0;
    // Whether the next frame may be taken; when that changes to true, call resume_reading.
    virtual bool may_read() const { return true; }
    // All that was pushed has been written, or will never be.
    virtual void on_written() {}
    void resume_reading() { may_read_again_.notify(); }

    net::Stream stream_;
    ChannelLimits limits_;
    net::TaskGroup& tasks_;

private:
    void flush();
    static net::Task<void> write_rest(std::shared_ptr<Connection> self);
    // Takes whole frames while they may be taken; the problem, or empty.
    std::string take_frames();

    FrameQueue out_;
    FrameReader in_;
    net::Event may_read_again_;
    bool flush_posted_ = false;
    bool writing_rest_ = false;
    bool open_ = true;
};

}  // namespace mailstead::ipc
