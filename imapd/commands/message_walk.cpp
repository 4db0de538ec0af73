#include "imapd/commands/message_walk.h"

#include <chrono>
#include <unistd.h>

#include "common/net/task_group.h"
#include "common/runtime/offload.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstLook{2};  // on the session's thread, where others wait
constexpr std::chrono::milliseconds kRound{40};
constexpr unsigned kMessagesBetweenLooks = 64;     // at the clock
constexpr std::uint64_t kHeaderRead = 256 * 1024;  // of a message that the index has no record of

// The record made anew from the message's header; empty when the file is gone.
std::string make_record(const store::Snapshot& snapshot, MailboxId mailbox,
                        const store::MessageInfo& message) {
    const auto file = snapshot.open_message(mailbox, message);
    if (!file) return {};
    std::string bytes(static_cast<std::size_t>(std::min(file->size, kHeaderRead)), '\0');
    const ssize_t n = ::pread(file->descriptor.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return store::build_fetch_cache(bytes);
}

class Walk {
public:
    Walk(const SearchScope& scope, WalkNeeds needs, MessageVisitor visit)
        : scope_(scope), needs_(needs), visit_(visit) {}

    // Visits messages until `time` is over, and removes them from `left`.
    store::Outcome<void> run(store::UidSet& left, Clock::duration time) {
        const auto end = Clock::now() + time;
        TRY(now, scope_.snapshot());
        unsigned looked_at = 0;
        bool pause = false;
        Uid last;
        const auto each = [&](const store::MessageInfo& message) {
            last = message.uid;
            visit(now, message);
            pause = ++looked_at % kMessagesBetweenLooks == 0 && Clock::now() >= end;
            return !pause;
        };
        TRY_VOID(now.messages(scope_.mailbox, left, each));
        if (pause) {
            left.remove(store::UidRange{1, last.value});
        } else {
            left.clear();
        }
        return store::Outcome<void>();
    }

private:
    void visit(const store::Snapshot& now, const store::MessageInfo& message) {
        if (needs_ == WalkNeeds::entry) return visit_(WalkedMessage{message});
        if (needs_ == WalkNeeds::header) {
            if (const auto header = now.header(message.message))
                return visit_(WalkedMessage{message, &*header, nullptr});
        }
        if (const auto cached = now.cached(message.message)) return visit_record(message, *cached);
        std::string made = make_record(now, scope_.mailbox, message);
        if (made.empty()) made = store::build_fetch_cache(std::string_view());
        if (const auto cached = store::CachedMessage::read(made)) visit_record(message, *cached);
    }
    void visit_record(const store::MessageInfo& message, const store::CachedMessage& cached) {
        if (needs_ == WalkNeeds::cache) return visit_(WalkedMessage{message, nullptr, &cached});
        const std::string made = store::build_header_record(cached);
        if (const auto header = store::HeaderRecord::read(made))
            visit_(WalkedMessage{message, &*header, nullptr});
    }

    const SearchScope& scope_;
    const WalkNeeds needs_;
    const MessageVisitor visit_;
};

}  // namespace

net::Task<store::Outcome<void>> walk_messages(Session& session, SearchScope scope, store::UidSet left,
                                              WalkNeeds needs, MessageVisitor visit) {
    Walk walk(scope, needs, visit);
    store::Outcome<void> done = walk.run(left, kFirstLook);
    const auto round = [&] {
        done = walk.run(left, kRound);
        return done && !left.empty();
    };
    bool more = done && !left.empty();
    while (more) {
        more = co_await runtime::offload_or_run(session.backend.pool(), round);
        const bool stopping = co_await net::stop_requested();
        if (stopping) break;
    }
    co_return done;
}

}  // namespace mailstead::imapd::commands
