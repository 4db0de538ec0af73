#include "common/fulltext/account_indexer.h"

#include <algorithm>
#include <unistd.h>

#include "common/mime/message.h"
#include "common/mime/message_text.h"

namespace mailstead::fulltext {
namespace {

using store::Failure;
using store::Fault;
using store::Outcome;

// A message this large is not read; searches look at it themselves.
constexpr std::uint64_t kLargestRead = 256 * 1024 * 1024;
constexpr std::size_t kSweptAtOnce = 20'000;

Failure failure_of(const Error& error) {
    return Failure(Fault::unavailable, error.what);
}

bool read_all(const store::OpenMessage& file, std::string& into) {
    into.resize(static_cast<std::size_t>(file.size));
    std::size_t done = 0;
    while (done < into.size()) {
        const ssize_t n =
            ::pread(file.descriptor.get(), into.data() + done, into.size() - done, static_cast<off_t>(done));
        if (n <= 0) return false;
        done += static_cast<std::size_t>(n);
    }
    return true;
}

// What is cut off by the bounds on texts is missing here.
void take_words(std::string_view bytes, MessageWords& words) {
    const mime::Message message = mime::Message::parse(bytes);
    std::size_t total = 0;
    const auto take = [&](std::string_view piece, bool in_body) {
        total += piece.size();
        const bool may_be_cut = piece.size() + 4 > mime::TextBounds{}.part;
        if (may_be_cut || total + 4 > mime::TextBounds{}.total) words.set_partial();
        words.add_text(piece, in_body);
        return true;
    };
    mime::text_of_message(message, take);
}

}  // namespace

std::filesystem::path index_directory(const std::filesystem::path& root, AccountId account) {
    return root / "accounts" / std::to_string(account.value) / "fulltext";
}

Outcome<std::string> identity_of(const store::Snapshot& snapshot) {
    TRY(inbox, snapshot.find(MailboxName::inbox()));
    return std::to_string(inbox.uidvalidity.value) + '/' +
           std::to_string(inbox.created.time_since_epoch() / Milliseconds(1));
}

AccountIndexer::AccountIndexer(std::filesystem::path root, store::Reader& reader, AccountId account,
                               IndexerOptions options)
    : root_(std::move(root)), reader_(reader), account_(account), options_(options) {}

AccountIndexer::~AccountIndexer() = default;

Outcome<void> AccountIndexer::open(const store::Snapshot& now) {
    if (index_) return {};
    TRY(identity, identity_of(now));
    TRY(info, now.account());
    const std::filesystem::path directory = index_directory(root_, account_);
    auto opened = TextIndexWriter::open(directory, identity);
    // Ids that were never given: the account was restored from a copy older than the index.
    if (opened && opened->high() > info.last_message.value) {
        {
            const TextIndexWriter stranger = *std::move(opened);  // lets go of its lock
        }
        (void)TextIndexWriter::open(directory, "");  // empties it
        opened = TextIndexWriter::open(directory, identity);
    }
    if (!opened) return failure_of(opened.error());
    index_.emplace(*std::move(opened));
    done_ = index_->high();
    return {};
}

Outcome<std::uint64_t> AccountIndexer::behind() {
    if (!mailboxes_) {
        auto opened = reader_.open(account_);
        if (!opened && opened.error().fault == Fault::non_existent) return std::uint64_t{0};
        if (!opened) return opened.error();
        mailboxes_ = *std::move(opened);
    }
    TRY(now, mailboxes_->snapshot());
    TRY(info, now.account());
    if (info.last_message.value == 0) return std::uint64_t{0};
    TRY_VOID(open(now));
    return info.last_message.value - std::min(info.last_message.value, done_);
}

Outcome<AccountIndexer::Progress> AccountIndexer::step() {
    TRY(missing, behind());
    if (!index_) return Progress::nothing_left;
    TRY(now, mailboxes_->snapshot());
    if (missing > 0) {
        if (left_.empty()) TRY_VOID(list(now));
        TRY_VOID(add_some(now));
        if (index_->pending() >= options_.pending) TRY_VOID(commit());
        return Progress::more_to_do;
    }
    TRY(more, remove_some(now));
    if (more) return Progress::more_to_do;
    TRY_VOID(commit());
    return Progress::nothing_left;
}

// The messages after those that are done, as far as the list may be long; its lowest ids matter.
Outcome<void> AccountIndexer::list(const store::Snapshot& now) {
    TRY(info, now.account());
    TRY(mailboxes, now.mailboxes());
    reaches_ = std::min(info.last_message.value, kMaxIndexedMessage);
    const auto lower = [](const Entry& a, const Entry& b) { return a.message.message < b.message.message; };
    const auto shorten = [&] {
        if (left_.size() <= options_.listed) return;
        std::nth_element(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(options_.listed),
                         left_.end(), lower);
        left_.resize(options_.listed);
        reaches_ = std::max_element(left_.begin(), left_.end(), lower)->message.message.value;
    };
    for (const store::MailboxInfo& mailbox : mailboxes) {
        const auto visit = [&](const store::MessageInfo& message) {
            if (message.message.value <= done_ || message.message.value > reaches_) return true;
            left_.push_back({mailbox.id, message});
            if (left_.size() >= 2 * options_.listed) shorten();
            return true;
        };
        TRY_VOID(now.messages(mailbox.id, store::UidSet::all(), visit));
    }
    shorten();
    std::sort(left_.begin(), left_.end(), [&](const Entry& a, const Entry& b) { return lower(b, a); });
    return {};
}

Outcome<void> AccountIndexer::add_some(const store::Snapshot& now) {
    std::size_t messages = 0;
    std::uint64_t octets = 0;
    while (!left_.empty() && messages < options_.messages_per_step && octets < options_.octets_per_step) {
        const Entry entry = left_.back();
        if (entry.message.message.value > done_) {  // in several mailboxes: once is enough
            TRY(added, add(now, entry));
            if (added == Added::moved) {  // a new list knows where, or that it was the last place
                left_.clear();
                return {};
            }
            done_ = entry.message.message.value;
            ++messages;
            octets += entry.message.size;
        }
        left_.pop_back();
    }
    if (left_.empty()) done_ = std::max(done_, reaches_);
    dirty_ = true;
    return {};
}

Outcome<AccountIndexer::Added> AccountIndexer::add(const store::Snapshot& now, const Entry& entry) {
    const std::uint64_t id = entry.message.message.value;
    words_.clear();
    const auto file = now.open_message(entry.mailbox, entry.message);
    if (!file && file.error().fault == Fault::non_existent) {
        TRY(fresh, mailboxes_->snapshot());
        return fresh.exists(MessageId(id)) ? Added::moved : Added::gone;
    }
    const bool readable = file && file->size <= kLargestRead && read_all(*file, bytes_);
    if (readable) {
        take_words(bytes_, words_);
    } else {
        words_.set_partial();
    }
    if (bytes_.capacity() > 4 * 1024 * 1024) std::string().swap(bytes_);
    const auto added = index_->add(id, words_);
    if (!added) return failure_of(added.error());
    return Added::yes;
}

// Whether there is more to look through. A walk over ids alone, and only when there must be some.
Outcome<bool> AccountIndexer::remove_some(const store::Snapshot& now) {
    TRY(stored, now.stored_messages());
    if (index_->documents() <= stored) {
        swept_ = 0;
        return false;
    }
    const auto ids = index_->messages(swept_, kSweptAtOnce);
    if (!ids) return failure_of(ids.error());
    for (const std::uint64_t id : *ids) {
        if (now.exists(MessageId(id))) continue;
        const auto removed = index_->remove(id);
        if (!removed) return failure_of(removed.error());
        dirty_ = true;
    }
    if (index_->pending() >= options_.pending) TRY_VOID(commit());
    const bool more = ids->size() == kSweptAtOnce;
    swept_ = more ? ids->back() : 0;
    return more;
}

Outcome<void> AccountIndexer::commit() {
    if (!index_ || (!dirty_ && index_->high() == done_)) return {};
    const auto committed = index_->commit(done_);
    if (!committed) return failure_of(committed.error());
    dirty_ = false;
    return {};
}

}  // namespace mailstead::fulltext
