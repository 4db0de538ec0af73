// Message files that a FETCH will come to, brought into memory before it does: a cold mailbox is then read at
// the speed of the disk, not at one wait per message, and no io thread waits for a disk.
#pragma once

#include <cstdint>
#include <memory>

#include "common/net/task.h"
#include "common/store/store.h"

namespace mailstead::imapd {

class Session;

namespace commands {

// A window is as much as a disk should have in hand at once, and no more than a client that goes away leaves
// behind.
inline constexpr std::uint64_t kWindowMessages = 64;
inline constexpr std::uint64_t kWindowBytes = std::uint64_t{4} * 1024 * 1024;

// What was done for one window.
struct Window {
    std::uint32_t until = 0;  // the last UID that was looked after; at least the first one asked for
    std::size_t files = 0;
    std::uint64_t bytes = 0;  // at most kWindowBytes and one file
    bool was_cold = false;    // some bytes were not in memory
};
// Opens the files of the first of `uids` and has the kernel read at most `each` bytes of every one. Waits for
// the disk to find the files, not for their bytes: not on an io thread.
Window bring_in(const store::AccountReader& reader, MailboxId mailbox, const store::UidSet& uids,
                std::uint64_t each);

// Does nothing until a file was found missing from memory: warm mailboxes pay nothing. At most two windows
// are ahead of what is sent. One owner, one io thread.
class ReadAhead {
public:
    // Of the selected mailbox. `each`: how many bytes of a file are wanted at most. The session outlives it.
    ReadAhead(Session& session, std::uint64_t each);
    ~ReadAhead();

    // Waits until the first files of `uids` can be opened without waiting, and their bytes are on their way.
    net::Task<void> wait_for(const store::UidSet& uids);
    // From now on go_on() works, until a whole window was in memory already.
    void begin();
    // `uids` are what is left to be sent: keeps the pool ahead of it.
    void go_on(const store::UidSet& uids);
    // Files up to this UID were brought in: opening one waits for nothing, as far as can be known.
    Uid until() const;

private:
    struct Progress;
    class Job;

    Session& session_;
    const std::uint64_t each_;
    bool working_ = false;
    std::uint32_t begun_at_ = 0;  // the first UID of the window that was begun last
    std::uint32_t waited_ = 0;    // the last UID that was waited for
    std::shared_ptr<Progress> progress_;
};

}  // namespace commands
}  // namespace mailstead::imapd
