// "Account 7 changed": datagrams from deliver to imapd. A lost one is harmless: the index is the truth, and
// the receiver learns from a gap in the numbers that it should look everywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
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
    // Notices of one account are merged; all go out in as few datagrams as hold them. False: the receiver is
    // away or slow.
    bool send(std::span<const ChangeNotice> notices);

private:
    bool send_one(const std::string& datagram);
    std::mutex mutex_;
    std::string path_;
    FileDescriptor socket_;
    std::uint64_t sequence_ = 0;
};

struct Received {
    std::vector<ChangeNotice> notices;
    bool lost = false;  // some notices before these never came: every account may have changed
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
