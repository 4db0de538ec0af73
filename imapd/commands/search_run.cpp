#include "imapd/commands/search_run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <poll.h>
#include <thread>
#include <vector>

#include "common/net/task_group.h"
#include "common/runtime/offload_all.h"
#include "imapd/commands/search_content.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {
namespace {

using Clock = std::chrono::steady_clock;

// On the session's thread, where others wait; and on the pool's, where the jobs of others do.
constexpr std::chrono::microseconds kFirstLook{2'000};
constexpr std::chrono::milliseconds kRound{40};
constexpr unsigned kMessagesBetweenLooks = 64;  // at the clock
constexpr std::size_t kMostWorkers = 8;
// What a worker takes at a time: of messages whose files may have to be read, and of others.
constexpr std::uint64_t kFilesAtOnce = 64;
constexpr std::uint64_t kMessagesAtOnce = 4'096;

// The messages that are left, dealt out to workers from the lowest UID on.
class Board {
public:
    Board(store::UidSet left, std::uint64_t at_once) : left_(std::move(left)), at_once_(at_once) {
        if (!left_.empty()) next_ = left_.ranges().front().first;
    }

    bool empty() {
        const std::lock_guard lock(mutex_);
        return is_empty();
    }
    store::UidSet take() {
        const std::lock_guard lock(mutex_);
        if (!returned_.empty()) {
            done_ += returned_.back().count();
            store::UidSet some = std::move(returned_.back());
            returned_.pop_back();
            return some;
        }
        store::UidSet some;
        std::uint64_t wanted = at_once_;
        while (wanted > 0 && range_ < left_.ranges().size()) {
            const store::UidRange range = left_.ranges()[range_];
            const auto size = std::min<std::uint64_t>(wanted, std::uint64_t{range.last} - next_ + 1);
            const auto last = static_cast<std::uint32_t>(next_ + size - 1);
            some.add(store::UidRange{static_cast<std::uint32_t>(next_), last});
            wanted -= size;
            done_ += size;
            next_ = std::uint64_t{last} + 1;
            if (last == range.last && ++range_ < left_.ranges().size()) next_ = left_.ranges()[range_].first;
        }
        return some;
    }
    // Of what was taken, what there was no time for.
    void put_back(store::UidSet some) {
        const std::lock_guard lock(mutex_);
        done_ -= some.count();
        if (!some.empty()) returned_.push_back(std::move(some));
    }
    std::uint64_t done() {
        const std::lock_guard lock(mutex_);
        return done_;
    }
    void give_up(store::Failure failure) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::move(failure);
        range_ = left_.ranges().size();
        returned_.clear();
    }
    // Once no worker is left.
    const std::optional<store::Failure>& failure() const { return failure_; }
    std::vector<Found>& results() { return results_; }
    void report(Found found) {
        const std::lock_guard lock(mutex_);
        results_.push_back(std::move(found));
    }

private:
    bool is_empty() const { return range_ >= left_.ranges().size() && returned_.empty(); }

    std::mutex mutex_;
    const store::UidSet left_;
    std::vector<store::UidSet> returned_;
    const std::uint64_t at_once_;
    std::size_t range_ = 0;
    std::uint64_t next_ = 0;
    std::uint64_t done_ = 0;
    std::optional<store::Failure> failure_;
    std::vector<Found> results_;
};

// What one worker does in one round.
class Worker {
public:
    Worker(const store::AccountReader& reader, MailboxId mailbox, const SearchNode& plan)
        : reader_(reader), mailbox_(mailbox), plan_(plan) {}

    store::Outcome<void> run(Board& board) {
        const auto end = Clock::now() + kRound;
        TRY(now, reader_.snapshot());
        SearchContent content(now, mailbox_);
        Found found;
        Uid last;
        bool late = false;
        const auto visit = [&](const store::MessageInfo& message) {
            last = message.uid;
            content.stand_at(message);
            if (SearchSubject(message, now, &content).test(plan_) == Match::yes) found.add(message);
            // A file is worth a look at the clock: it may have been a large one.
            late = content.was_read() && Clock::now() >= end;
            return !late;
        };
        while (!late && Clock::now() < end) {
            store::UidSet some = board.take();
            if (some.empty()) break;
            TRY_VOID(now.messages(mailbox_, some, visit));
            if (!late) continue;
            some.remove(store::UidRange{1, last.value});
            board.put_back(std::move(some));
        }
        if (!found.uids.empty()) board.report(std::move(found));
        return store::Outcome<void>();
    }

private:
    const store::AccountReader& reader_;
    MailboxId mailbox_;
    const SearchNode& plan_;
};

// What the index decides in a moment; the others come back.
store::Outcome<store::UidSet> look_first(const store::Snapshot& now, MailboxId mailbox,
                                         const SearchNode& plan, const store::UidSet& candidates,
                                         Found& found) {
    store::UidSet left;
    Uid last;
    unsigned looked_at = 0;
    const auto end = Clock::now() + kFirstLook;
    const auto visit = [&](const store::MessageInfo& message) {
        last = message.uid;
        const Match match = SearchSubject(message, now).test(plan);
        if (match == Match::yes) found.add(message);
        if (match == Match::unknown) left.add(message.uid);
        return ++looked_at % kMessagesBetweenLooks != 0 || Clock::now() < end;
    };
    TRY_VOID(now.messages(mailbox, candidates, visit));
    if (last.value < candidates.last().value && looked_at % kMessagesBetweenLooks == 0 && looked_at > 0) {
        store::UidSet rest = candidates;
        rest.remove(store::UidRange{1, last.value});
        return left.united(rest);
    }
    return left;
}

bool reads_files(const SearchNode& node) {
    if (node.op == proto::SearchOp::body || node.op == proto::SearchOp::text) return true;
    if (node.op == proto::SearchOp::header && !node.header_text && !node.request) return true;
    return std::any_of(node.children.begin(), node.children.end(), reads_files);
}

// Whoever has hung up needs no answer, and a search over bodies takes long.
bool client_is_gone(Session& session) {
    pollfd watched{session.connection.stream().native_handle(), POLLRDHUP, 0};
    return ::poll(&watched, 1, 0) > 0 && (watched.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

std::size_t workers() {
    return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostWorkers);
}

}  // namespace

void Found::add(const store::MessageInfo& message) {
    uids.add(message.uid);
    highest = std::max(highest, message.modseq);
    if (!first || message.uid < first->uid) first = message;
    if (!last || message.uid > last->uid) last = message;
}

void Found::add(Found&& others) {
    uids = uids.empty() ? std::move(others.uids) : uids.united(others.uids);
    highest = std::max(highest, others.highest);
    if (others.first && (!first || others.first->uid < first->uid)) first = others.first;
    if (others.last && (!last || others.last->uid > last->uid)) last = others.last;
}

net::Task<store::Outcome<Found>> run_search(Session& session, const store::AccountReader& reader,
                                            MailboxId mailbox, const SearchNode& plan,
                                            store::UidSet candidates, const SearchOptions& options) {
    Found found;
    {
        const auto now = reader.snapshot();
        if (!now) co_return now.error();
        auto left = look_first(*now, mailbox, plan, candidates, found);
        if (!left) co_return left.error();
        candidates = *std::move(left);
    }
    if (candidates.empty()) co_return found;

    const std::uint64_t total = candidates.count();
    Board board(std::move(candidates), reads_files(plan) ? kFilesAtOnce : kMessagesAtOnce);
    auto work = [&] {
        const auto done = Worker(reader, mailbox, plan).run(board);
        if (!done) board.give_up(done.error());
    };
    while (!board.empty()) {
        const auto round = co_await runtime::offload_all(session.backend.pool(), workers(), work);
        if (!round) co_return store::Failure(store::Fault::unavailable, round.error().what);
        const bool stopping = co_await net::stop_requested();
        if (stopping || client_is_gone(session)) break;
        if (options.between_rounds) {
            const bool go_on = co_await options.between_rounds(SearchProgress{board.done(), total});
            if (!go_on) break;
        }
    }
    if (board.failure()) co_return *board.failure();
    auto& results = board.results();
    std::sort(results.begin(), results.end(),
              [](const Found& a, const Found& b) { return a.uids.first() < b.uids.first(); });
    for (Found& part : results) found.add(std::move(part));
    co_return found;
}

}  // namespace mailstead::imapd::commands
