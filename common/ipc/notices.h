// "Account 7 changed": datagrams from deliver to imapd. A lost one is harmless: the index is the truth, and
// the receiver learns from a gap in the numbers that it should look everywhere. When the last one is lost, a
// datagram without notices follows as soon as there is room, so that the gap is seen.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "common/base/file_descriptor.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/net/io_result.h"
#include "common/net/task.h"

namespace mailstead::ipc {

struct ChangeNotice {
    AccountId account;
    std::vector<MailboxId> mailboxes;  // changed; empty: look at all
    ModSeq modseq;                     // the account's highest after the change
    // What else happened to the account's index.
    enum class Index : std::uint8_t {
        as_before,
        set_aside,  // damaged: close it, deliver makes it anew
        replaced,   // another file now: open it anew
    };
    Index index = Index::as_before;
    friend bool operator==(const ChangeNotice&, const ChangeNotice&) = default;
};

// One datagram's content.
struct NoticeBatch {
    std::uint64_t sequence = 0;
    std::vector<ChangeNotice> notices;
    std::string encode() const;
    static Parsed<NoticeBatch> decode(std::string_view bytes);
};

// Thread-safe, never blocks.
class NoticeSender {
public:
    explicit NoticeSender(std::string path) : path_(std::move(path)) {}
    ~NoticeSender();
    NoticeSender(const NoticeSender&) = delete;
    NoticeSender& operator=(const NoticeSender&) = delete;

    // Notices of one account are merged; all go out in as few datagrams as hold them. False: the receiver is
    // away, or slow: then it hears as soon as it has room that something was lost.
    bool send(std::span<const ChangeNotice> notices);
    // A datagram without notices, which tells a receiver that knew a predecessor of this sender to look
    // everywhere.
    bool send_started();

private:
    enum class Sent : std::uint8_t { yes, away, full };
    Sent send_one(const std::string& datagram);
    void make_up_later();
    void make_up();

    std::mutex mutex_;
    std::string path_;
    FileDescriptor socket_;
    std::uint64_t sequence_ = 0;
    // Runs from the first loss on.
    std::condition_variable wake_;
    bool lost_ = false;  // the receiver has seen nothing of the last number
    bool stopping_ = false;
    std::thread thread_;
};

struct Received {
    std::vector<ChangeNotice> notices;
    // Some notices before these never came, or the sender was started anew: every account may have changed,
    // and every index may be another file.
    bool lost = false;
};

// Bind before the sandbox closes: a stale socket at the path is replaced.
Result<FileDescriptor> bind_notices(const std::string& path);

// Belongs to the thread of its io_context.
class NoticeReceiver {
public:
    NoticeReceiver(boost::asio::io_context& context, FileDescriptor bound);
    ~NoticeReceiver();
    // All that has come, at least one notice (or `lost`). Malformed datagrams are skipped. Fails with
    // `cancelled` or `timed_out`.
    net::Task<net::IoResult<Received>> receive(net::Timeout timeout);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::ipc
