// SEARCH (RFC 9051, 6.4.4; RFC 4731; RFC 5182; RFC 7162, 3.1.5).
#include <chrono>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/mime/message.h"
#include "common/net/task_group.h"
#include "common/runtime/offload.h"
#include "imapd/commands/commands.h"
#include "imapd/commands/mapped_file.h"
#include "imapd/commands/search_filter.h"
#include "imapd/commands/search_plan.h"

namespace mailstead::imapd::commands {
namespace {

// How much is looked at before others on this thread have their turn, and in one job of the pool.
constexpr std::chrono::milliseconds kSlice{20};
constexpr std::size_t kMessagesBetweenLooks = 64;  // at the clock
constexpr std::size_t kFilesPerSlice = 128;
constexpr std::uint64_t kBytesPerSlice = 8 * 1024 * 1024;
// Smaller files are read, larger ones mapped.
constexpr std::uint64_t kLargestRead = 256 * 1024;

struct Found {
    store::UidSet uids;
    ModSeq highest;
    std::optional<store::MessageInfo> first, last;

    void add(const store::MessageInfo& message) {
        uids.add(message.uid);
        highest = std::max(highest, message.modseq);
        if (!first || message.uid < first->uid) first = message;
        if (!last || message.uid > last->uid) last = message;
    }
};

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
store::Outcome<void> search_slice(Session& session, const SearchNode& plan, store::UidSet& left, Found& found,
                                  Reading& reading) {
    TRY(now, session.selected->snapshot());
    std::size_t looked_at = 0;
    bool pause = false;
    const auto end = std::chrono::steady_clock::now() + kSlice;
    Uid last;
    const MailboxId mailbox = session.selected->info.id;
    const auto visit = [&](const store::MessageInfo& message) {
        last = message.uid;
        const Match match = SearchSubject(message, now).test(plan);
        if (match == Match::yes) found.add(message);
        if (match == Match::unknown) {
            auto file = now.open_message(mailbox, message);
            if (file) {
                reading.bytes += file->size;
                reading.files.emplace_back(message, *std::move(file));
            }
        }
        const bool look = ++looked_at % kMessagesBetweenLooks == 0;
        pause = reading.is_full() || (look && std::chrono::steady_clock::now() > end);
        return !pause;
    };
    TRY_VOID(now.messages(mailbox, left, visit));
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

net::Task<store::Outcome<Found>> find(Session& session, const proto::Search& request) {
    Found found;
    store::UidSet left = session.selected->messages.uids();
    SearchNode plan;
    {
        auto now = session.selected->snapshot();
        if (!now) co_return now.error();
        if (auto names = now->keywords()) session.keywords = *std::move(names);
        const SearchContext context{session.selected->messages, session.selected->saved_result,
                                    session.keywords, mailstead::now(), session.selected->id_scope()};
        plan = plan_search(request.key, context);
        const MailboxId mailbox = session.selected->info.id;
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
        const auto done = search_slice(session, plan, left, found, reading);
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

// Found messages in the numbers that the command uses.
std::vector<proto::NumberRange> numbers(const Session& session, const store::UidSet& uids, bool uid) {
    std::vector<proto::NumberRange> ranges;
    for (const store::UidRange range : uids.ranges()) {
        proto::NumberRange r{range.first, range.last};
        if (!uid) {
            r.first = session.selected->messages.number_of(Uid(range.first));
            if (r.first == 0) continue;
            r.last = r.first + static_cast<std::uint32_t>(range.count() - 1);
        }
        if (!ranges.empty() && ranges.back().last + 1 == r.first) {
            ranges.back().last = r.last;
        } else {
            ranges.push_back(r);
        }
    }
    return ranges;
}

// RFC 3501, 7.2.5; RFC 7162, 3.1.5: "SEARCH" *(SP nz-number) [SP "(" "MODSEQ" SP n ")"]
void write_plain(std::string& out, const std::vector<proto::NumberRange>& ranges, ModSeq mod_seq) {
    out += "* SEARCH";
    for (const proto::NumberRange r : ranges) {
        for (std::uint64_t n = r.first; n <= r.last; ++n) {
            out += ' ';
            proto::write_number(out, n);
        }
    }
    if (mod_seq && !ranges.empty()) {
        out += " (MODSEQ ";
        proto::write_number(out, mod_seq.value);
        out += ')';
    }
    out += "\r\n";
}

// RFC 4731, 3.2: the mod-sequence of what is returned.
ModSeq mod_seq_of(const proto::SearchReturn& wanted, const Found& found) {
    if (wanted.all || wanted.count || (!wanted.min && !wanted.max)) return found.highest;
    ModSeq highest;
    if (wanted.min && found.first) highest = std::max(highest, found.first->modseq);
    if (wanted.max && found.last) highest = std::max(highest, found.last->modseq);
    return highest;
}

// esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
void write_extended(std::string& out, std::string_view tag, bool uid, const proto::SearchReturn& wanted,
                    const std::vector<proto::NumberRange>& ranges, std::uint64_t count, ModSeq mod_seq) {
    out += "* ESEARCH (TAG ";
    proto::write_string(out, tag);
    out += uid ? ") UID" : ")";
    if (wanted.min && !ranges.empty()) {
        out += " MIN ";
        proto::write_number(out, ranges.front().first);
    }
    if (wanted.max && !ranges.empty()) {
        out += " MAX ";
        proto::write_number(out, ranges.back().last);
    }
    if (wanted.all && !ranges.empty()) {
        out += " ALL ";
        proto::write_ranges(out, ranges);
    }
    if (wanted.count) {
        out += " COUNT ";
        proto::write_number(out, count);
    }
    if (mod_seq && !ranges.empty()) {
        out += " MODSEQ ";
        proto::write_number(out, mod_seq.value);
    }
    out += "\r\n";
}

// RFC 5182, 2.1: what "$" holds afterwards.
store::UidSet result_to_save(const proto::SearchReturn& wanted, const Found& found) {
    if (wanted.all || wanted.count || (!wanted.min && !wanted.max)) return found.uids;
    store::UidSet saved;
    if (wanted.min && !found.uids.empty()) saved.add(found.uids.first());
    if (wanted.max && !found.uids.empty()) saved.add(found.uids.last());
    return saved;
}

}  // namespace

net::Task<Reply> search(Session& session, Command& command) {
    const auto& request = std::get<proto::Search>(command.arguments);
    const bool wants_mod_seq = request.key.contains(proto::SearchOp::mod_seq);
    if (wants_mod_seq) session.enable_condstore();
    const auto found = co_await find(session, request);
    if (!found) {
        // RFC 5182, 2.1: a search with SAVE that fails leaves nothing saved.
        if (request.result.save) session.selected->saved_result = store::UidSet();
        co_return reply_to(found.error());
    }
    proto::SearchReturn wanted = request.result;
    if (wanted.save) session.selected->saved_result = result_to_save(wanted, *found);
    const auto ranges = numbers(session, found->uids, request.uid);
    const ModSeq mod_seq = wants_mod_seq ? mod_seq_of(wanted, *found) : ModSeq();
    if (!wanted.extended && !session.enabled.rev2) {
        write_plain(session.out(), ranges, mod_seq);
        co_return ok("Found");
    }
    if (!wanted.extended) wanted.all = true;
    // RFC 5182, 2.4: SAVE alone returns nothing.
    if (wanted.min || wanted.max || wanted.all || wanted.count) {
        write_extended(session.out(), command.tag, request.uid, wanted, ranges, found->uids.count(), mod_seq);
    }
    co_return ok("Found");
}

}  // namespace mailstead::imapd::commands
