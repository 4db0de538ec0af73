// What SEARCH finds (RFC 9051, 6.4.4; RFC 7162, 3.1.5).
#include <chrono>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/mime/message.h"
#include "common/net/task_group.h"
#include "common/runtime/offload.h"
#include "imapd/commands/mapped_file.h"
#include "imapd/commands/search_filter.h"
#include "imapd/commands/search_plan.h"
#include "imapd/commands/mailbox_search.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {
namespace {

// How much is looked at before others on this thread have their turn, and in one job of the pool.
constexpr std::chrono::milliseconds kSlice{20};
constexpr std::size_t kMessagesBetweenLooks = 64;  // at the clock
constexpr std::size_t kFilesPerSlice = 128;
constexpr std::uint64_t kBytesPerSlice = 8 * 1024 * 1024;
// Smaller files are read, larger ones mapped.
constexpr std::uint64_t kLargestRead = 256 * 1024;

// Messages whose files must be read.
struct Reading {
    std::vector<std::pair<store::MessageInfo, store::OpenMessage>> files;
    std::uint64_t bytes = 0;

    bool is_full() const { return files.size() >= kFilesPerSlice || bytes >= kBytesPerSlice; }
};

bool matches_bytes(const SearchNode& plan, const std::vector<std::string>& words,
                   const store::MessageInfo& info, std::string_view bytes) {
    if (cannot_match(bytes, words)) return false;
    const mime::Message message = mime::Message::parse(bytes);
    return SearchSubject(info, message).test(plan) == Match::yes;
}

bool matches_file(const SearchNode& plan, const std::vector<std::string>& words,
                  const store::MessageInfo& info, const store::OpenMessage& file) {
    if (file.size > kLargestRead) {
        const MappedFile mapped(file.descriptor.get(), file.size);
        return mapped.ok() && matches_bytes(plan, words, info, mapped.bytes());
    }
    thread_local std::string bytes;
    bytes.resize(static_cast<std::size_t>(file.size));
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = ::pread(file.descriptor.get(), bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(done));
        if (n <= 0) return false;
        done += static_cast<std::size_t>(n);
    }
    return matches_bytes(plan, words, info, bytes);
}

// Tests messages by the index; those that it cannot decide go to `reading`. Removes what was looked at from
// `left`.
store::Outcome<void> search_slice(const SearchScope& scope, const SearchNode& plan,
                                  store::UidSet& left, Found& found, Reading& reading) {
    TRY(now, scope.snapshot());
    std::size_t looked_at = 0;
    bool pause = false;
    const auto end = std::chrono::steady_clock::now() + kSlice;
    Uid last;
    const auto visit = [&](const store::MessageInfo& message) {
        last = message.uid;
        const Match match = SearchSubject(message, now).test(plan);
        if (match == Match::yes) found.add(message);
        if (match == Match::unknown) {
            auto file = now.open_message(scope.mailbox, message);
            if (file) {
                reading.bytes += file->size;
                reading.files.emplace_back(message, *std::move(file));
            }
        }
        const bool look = ++looked_at % kMessagesBetweenLooks == 0;
        pause = reading.is_full() || (look && std::chrono::steady_clock::now() > end);
        return !pause;
    };
    TRY_VOID(now.messages(scope.mailbox, left, visit));
    if (pause) {
        left.remove(store::UidRange{1, last.value});
    } else {
        left.clear();
    }
    return store::Outcome<void>();
}

net::Task<void> read_files(Session& session, const SearchNode& plan, Reading& reading, Found& found) {
    const auto job = [&plan, &reading] {
        const std::vector<std::string> words = indispensable_words(plan);
        std::vector<bool> matches;
        for (const auto& [info, file] : reading.files)
            matches.push_back(matches_file(plan, words, info, file));
        return matches;
    };
    const auto matches = co_await runtime::offload(session.backend.pool(), job);
    for (std::size_t i = 0; matches && i < matches->size(); ++i) {
        if ((*matches)[i]) found.add(reading.files[i].first);
    }
    reading = Reading();
}

}  // namespace

SearchScope scope_of_selected(const Session& session) {
    const Selected& view = *session.selected;
    return {*view.reader, view.info.id, view.messages, view.saved_result, view.id_scope()};
}

net::Task<store::Outcome<Found>> find(Session& session, const proto::SearchKey& key, SearchScope scope,
                                      store::UidSet left) {
    Found found;
    SearchNode plan;
    {
        auto now = scope.snapshot();
        if (!now) co_return now.error();
        const auto keywords = now->keywords();
        if (!keywords) co_return keywords.error();
        const SearchContext context{scope.messages, scope.saved_result, *keywords, mailstead::now(), scope.ids};
        plan = plan_search(key, context);
        const MailboxId mailbox = scope.mailbox;
        const auto existing = now->uids(mailbox);
        if (!existing) co_return existing.error();
        left = left.intersected(*existing);
        const auto decided = narrow(plan, *now, mailbox, left);
        if (!decided) co_return decided.error();
        if (*decided) {
            found.uids = std::move(left);
            co_return found;
        }
    }
    Reading reading;
    while (!left.empty()) {
        const auto done = search_slice(scope, plan, left, found, reading);
        if (!done) co_return done.error();
        if (!reading.files.empty()) {
            co_await read_files(session, plan, reading, found);
        } else if (!left.empty()) {
            co_await boost::asio::post(session.connection.stream().context(), boost::asio::use_awaitable);
        }
        // Whoever has hung up needs no answer, and a search over bodies takes long.
        const bool stopping = co_await net::stop_requested();
        if (stopping) break;
    }
    co_return found;
}

}  // namespace mailstead::imapd::commands
