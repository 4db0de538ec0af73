#include "imapd/commands/message_walk.h"

#include <chrono>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/task_group.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {
namespace {

constexpr std::chrono::milliseconds kSlice{20};
constexpr std::size_t kMessagesBetweenLooks = 64;  // at the clock
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

void visit_cached(const store::Snapshot& snapshot, MailboxId mailbox, const store::MessageInfo& message,
                  MessageVisitor visit) {
    const auto cached = snapshot.cached(message.message);
    if (cached) return visit(message, &*cached);
    std::string record = make_record(snapshot, mailbox, message);
    if (record.empty()) record = store::build_fetch_cache(std::string_view());
    const auto made = store::CachedMessage::read(record);
    visit(message, made ? &*made : nullptr);
}

// Removes from `left` what was visited.
store::Outcome<void> walk_slice(const SearchScope& scope, store::UidSet& left, WalkNeeds needs,
                                MessageVisitor visit) {
    TRY(now, scope.snapshot());
    const auto end = std::chrono::steady_clock::now() + kSlice;
    std::size_t looked_at = 0;
    bool pause = false;
    Uid last;
    const auto each = [&](const store::MessageInfo& message) {
        last = message.uid;
        if (needs == WalkNeeds::cache) {
            visit_cached(now, scope.mailbox, message, visit);
        } else {
            visit(message, nullptr);
        }
        pause = ++looked_at % kMessagesBetweenLooks == 0 && std::chrono::steady_clock::now() > end;
        return !pause;
    };
    TRY_VOID(now.messages(scope.mailbox, left, each));
    if (pause) {
        left.remove(store::UidRange{1, last.value});
    } else {
        left.clear();
    }
    return store::Outcome<void>();
}

}  // namespace

net::Task<store::Outcome<void>> walk_messages(Session& session, SearchScope scope, store::UidSet left,
                                              WalkNeeds needs, MessageVisitor visit) {
    while (!left.empty()) {
        const auto done = walk_slice(scope, left, needs, visit);
        if (!done) co_return done.error();
        if (left.empty()) break;
        co_await boost::asio::post(session.connection.stream().context(), boost::asio::use_awaitable);
        const bool stopping = co_await net::stop_requested();
        if (stopping) break;
    }
    co_return store::Outcome<void>();
}

}  // namespace mailstead::imapd::commands
