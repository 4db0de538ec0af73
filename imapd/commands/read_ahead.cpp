#include "imapd/commands/read_ahead.h"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <string>
#include <vector>

#include "common/base/file_descriptor.h"
#include "common/runtime/offload.h"
#include "imapd/session/file_bytes.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {
namespace {

store::UidSet first_of(const store::UidSet& uids, std::uint32_t after) {
    store::UidSet some;
    std::uint64_t room = kWindowMessages;
    for (store::UidRange range : uids.ranges()) {
        if (range.last <= after) continue;
        range.first = std::max(range.first, after + 1);
        if (range.count() > room) range.last = range.first + static_cast<std::uint32_t>(room - 1);
        some.add(range);
        room -= range.count();
        if (room == 0) break;
    }
    return some;
}

struct Wanted {
    std::vector<std::string> candidates;
    std::uint64_t size = 0;
    Uid uid;
};

// The snapshot ends before anything waits for a disk.
std::vector<Wanted> list_files(const store::AccountReader& reader, MailboxId mailbox,
                               const store::UidSet& uids, std::uint64_t each) {
    std::vector<Wanted> files;
    const auto now = reader.snapshot();
    if (!now) return files;
    std::uint64_t bytes = 0;
    (void)now->messages(mailbox, uids, [&](const store::MessageInfo& message) {
        const std::uint64_t size = std::min(message.size, each);
        files.push_back({now->likely_files(mailbox, message), size, message.uid});
        bytes += size;
        return bytes < kWindowBytes;
    });
    return files;
}

bool is_in_memory(int fd, std::uint64_t size) {
    char last = 0;
    return size == 0 || read_file_bytes(fd, size - 1, std::span<char>(&last, 1), Disk::not_waited_for) == 1;
}

// One file: the way to it, its inode, and its bytes; the kernel reads those while the next file is opened.
void bring_in_file(const Wanted& wanted, Window& window) {
    for (const std::string& path : wanted.candidates) {
        const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (!file) continue;
        ++window.files;
        window.bytes += wanted.size;
        if (is_in_memory(file.get(), wanted.size)) return;
        window.was_cold = true;
        (void)::posix_fadvise(file.get(), 0, static_cast<off_t>(wanted.size), POSIX_FADV_WILLNEED);
        return;
    }
}

}  // namespace

Window bring_in(const store::AccountReader& reader, MailboxId mailbox, const store::UidSet& uids,
                std::uint64_t each) {
    const store::UidSet first = first_of(uids, 0);
    const std::vector<Wanted> files = list_files(reader, mailbox, first, each);
    Window window;
    for (const Wanted& file : files) bring_in_file(file, window);
    window.until = files.empty() ? first.last().value : files.back().uid.value;
    return window;
}

struct ReadAhead::Progress {
    std::atomic<bool> busy{false};
    std::atomic<bool> was_cold{true};  // the last window
    std::atomic<std::uint32_t> until{0};
};

// A window that nobody waits for.
class ReadAhead::Job final : public runtime::OffloadPool::Job {
public:
    Job(store::AccountReader reader, MailboxId mailbox, store::UidSet uids, std::uint64_t each,
        std::shared_ptr<Progress> progress)
        : reader_(std::move(reader)),
          mailbox_(mailbox),
          uids_(std::move(uids)),
          each_(each),
          progress_(std::move(progress)) {}

    void run() noexcept override {
        try {
            const Window window = bring_in(reader_, mailbox_, uids_, each_);
            progress_->was_cold = window.was_cold;
            progress_->until = window.until;
        } catch (...) {
            // Without memory for it there is no reading ahead; the FETCH itself will tell.
            progress_->until = uids_.last().value;
        }
        progress_->busy = false;
    }

private:
    store::AccountReader reader_;
    MailboxId mailbox_;
    store::UidSet uids_;
    std::uint64_t each_;
    std::shared_ptr<Progress> progress_;
};

ReadAhead::ReadAhead(Session& session, std::uint64_t each)
    : session_(session), each_(each), progress_(std::make_shared<Progress>()) {}
ReadAhead::~ReadAhead() = default;

Uid ReadAhead::until() const {
    return Uid(std::max(waited_, progress_->until.load()));
}

void ReadAhead::begin() {
    if (working_ || progress_->busy) return;
    working_ = true;
    progress_->was_cold = true;
}

net::Task<void> ReadAhead::wait_for(const store::UidSet& uids) {
    begin();
    const Selected& view = *session_.selected;
    const auto job = [reader = *view.reader, mailbox = view.info.id, &uids, each = each_] {
        return bring_in(reader, mailbox, uids, each);
    };
    const Window window = co_await runtime::offload_or_run(session_.backend.pool(), job);
    waited_ = window.until;
}

void ReadAhead::go_on(const store::UidSet& uids) {
    if (!working_ || progress_->busy) return;
    if (!progress_->was_cold) {
        working_ = false;
        return;
    }
    // One window is ahead already.
    if (uids.first().value < begun_at_) return;
    store::UidSet window = first_of(uids, until().value);
    if (window.empty()) return;
    const std::uint32_t begins_at = window.first().value;
    progress_->busy = true;
    const Selected& view = *session_.selected;
    std::unique_ptr<runtime::OffloadPool::Job> job =
        std::make_unique<Job>(*view.reader, view.info.id, std::move(window), each_, progress_);
    if (session_.backend.pool().submit(job)) {
        begun_at_ = begins_at;
    } else {
        progress_->busy = false;
    }
}

}  // namespace mailstead::imapd::commands
