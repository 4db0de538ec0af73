#include "deliver/local/text_indexer.h"

#include <algorithm>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/runtime/log.h"

namespace mailstead::deliver {
namespace {

constexpr std::chrono::milliseconds kAfterFailure = std::chrono::minutes(15);  // a full disk, most likely
constexpr int kNice = 15;

}  // namespace

TextIndexer::TextIndexer(std::filesystem::path data_dir, store::Reader& reader, const Pace& pace)
    : data_dir_(std::move(data_dir)), reader_(reader), pace_(pace) {}

TextIndexer::~TextIndexer() {
    stop();
}

void TextIndexer::start() {
    find_accounts();
    thread_ = std::thread([this] { run(); });
}

void TextIndexer::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

bool TextIndexer::is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void TextIndexer::changed(AccountId account) {
    const auto at = Clock::now();
    bool sooner = false;
    {
        const std::lock_guard lock(mutex_);
        const auto [place, added] = waiting_.emplace(account, Waiting{at, at + pace_.settle});
        Waiting& waiting = place->second;
        const auto look =
            std::max(waiting.not_before, std::min(at + pace_.settle, waiting.since + pace_.longest));
        sooner = added || look < waiting.look;
        waiting.look = look;
    }
    if (sooner) wake_.notify_one();
}

// What was not indexed when the last run ended.
void TextIndexer::find_accounts() {
    const auto at = Clock::now();
    std::error_code error;
    const std::lock_guard lock(mutex_);
    for (const auto& entry : std::filesystem::directory_iterator(data_dir_ / "accounts", error)) {
        const auto id = text::parse_number<std::uint32_t>(entry.path().filename().string());
        if (id) waiting_.emplace(AccountId(*id), Waiting{at, at + pace_.at_start});
    }
}

void TextIndexer::run() {
    // Of this thread alone, on Linux.
    (void)::setpriority(PRIO_PROCESS, 0, kNice);
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto next =
            std::min_element(waiting_.begin(), waiting_.end(),
                             [](const auto& a, const auto& b) { return a.second.look < b.second.look; });
        if (next == waiting_.end()) {
            wake_.wait(lock);
            continue;
        }
        const auto look = next->second.look;
        if (look > Clock::now()) {
            wake_.wait_until(lock, look);
            continue;
        }
        const AccountId account = next->first;
        const auto since = next->second.since;
        waiting_.erase(next);
        lock.unlock();
        const auto again = visit(account, Clock::now() >= since + pace_.longest);
        lock.lock();
        if (again == std::chrono::milliseconds::zero()) continue;
        const bool failed = again == kAfterFailure;
        const auto not_before = failed ? Clock::now() + kAfterFailure : Clock::time_point();
        const auto due = std::max(not_before, since + pace_.longest);
        const auto entry = waiting_.emplace(account, Waiting{since, due}).first;
        entry->second.not_before = not_before;
        entry->second.look = std::max(not_before, entry->second.look);
        entry->second.since = std::min(entry->second.since, since);
    }
}

store::Outcome<TextIndexer::Seen> TextIndexer::look(AccountId account) {
    auto opened = reader_.open(account);
    if (!opened && opened.error().fault == store::Fault::non_existent) return Seen();
    if (!opened) return opened.error();
    TRY(now, opened->snapshot());
    TRY(info, now.account());
    TRY(stored, now.stored_messages());
    return Seen{info.last_message, stored};
}

std::chrono::milliseconds TextIndexer::visit(AccountId account, bool long_enough) {
    const auto done = index(account, long_enough);
    if (done) return *done ? std::chrono::milliseconds::zero() : pace_.longest;
    log::warning("fulltext.index", {{"account", account.value}, {"reason", done.error().what}});
    return kAfterFailure;
}

// Whether all is indexed; false: there are too few yet.
store::Outcome<bool> TextIndexer::index(AccountId account, bool long_enough) {
    using Progress = fulltext::AccountIndexer::Progress;
    TRY(seen, look(account));
    const auto known = complete_.find(account);
    if (seen.last.value == 0 || (known != complete_.end() && known->second == seen)) return true;
    fulltext::AccountIndexer indexer(data_dir_, reader_, account);
    TRY(behind, indexer.behind());
    if (behind > 0 && behind < pace_.enough && !long_enough) return false;
    Progress progress = Progress::more_to_do;
    while (progress == Progress::more_to_do && !is_stopping()) {
        TRY(step, indexer.step());
        progress = step;
    }
    TRY_VOID(indexer.commit());
    if (progress == Progress::nothing_left) complete_[account] = seen;
    if (behind > 0) log::info("fulltext.indexed", {{"account", account.value}, {"messages", behind}});
    return true;
}

}  // namespace mailstead::deliver
