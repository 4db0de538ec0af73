// Keeps an account's sidecar up to date: as often as it costs little, and before a stop.
#include <algorithm>
#include <cerrno>
#include <sys/stat.h>

#include "common/base/text.h"
#include "common/store/follower_state.h"
#include "common/store/sidecar.h"

namespace mailstead::store {
namespace {

constexpr Milliseconds kPause{5'000};         // between two writes of one file
constexpr int kShare = 100;                   // at most one part in so many of the time goes into it
constexpr std::int64_t kPausePerKiB = 60;     // milliseconds: a large file is not written over and over
constexpr std::size_t kMaxKept = 256u << 20;  // bytes
constexpr std::string_view kMessages = "messages.";

}  // namespace

Outcome<void> Follower::State::keep_text(const std::string& path, const std::string& text, Kept::Text& last,
                                         Time now, std::chrono::steady_clock::time_point begun) {
    const std::size_t hash = std::hash<std::string_view>()(text);
    if (!last.hash) {
        if (const auto there = sidecar::read_file(root / path, kMaxKept))
            last.hash = std::hash<std::string_view>()(*there);
    }
    std::size_t written = 0;
    if (last.hash != hash) {
        if (const int code = sidecar::write_file(*files, root, path, text); code != 0) {
            last.hash.reset();
            return Failure(Fault::unavailable, "write " + path + ": " + commit::errno_text(code));
        }
        last.hash = hash;
        written = text.size();
    }
    const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begun);
    const Milliseconds for_size(static_cast<std::int64_t>(written / 1024) * kPausePerKiB);
    last.look_again = now + std::max({kPause, took * kShare, for_size});
    return {};
}

// There is nothing to say: what was said before must not be believed.
Outcome<void> Follower::State::drop_text(const std::string& path, Kept::Text& last) {
    static const std::size_t kNothing = std::hash<std::string_view>()("");
    if (last.hash == kNothing) return {};
    for (const char* mark : {"", "~"}) {
        const int code = files->remove(root / (path + mark));
        if (code != 0 && code != ENOENT)
            return Failure(Fault::unavailable, "remove " + path + ": " + commit::errno_text(code));
    }
    last.hash = kNothing;
    return {};
}

Outcome<bool> Follower::State::keep_account(const Snapshot& snapshot, Kept& held, Time now, bool at_once) {
    if (!at_once && now < held.account.look_again) return false;
    const auto begun = std::chrono::steady_clock::now();
    TRY(side, sidecar::gather_account(snapshot));
    TRY_VOID(keep_text(sidecar::account_file(side.account), side.encode(), held.account, now, begun));
    return true;
}

Outcome<bool> Follower::State::keep_mailbox(const Snapshot& snapshot, Kept& held, const MailboxInfo& mailbox,
                                            Time now, bool at_once) {
    Kept::Messages& last = held.mailboxes[mailbox.id.value];
    if (last.modseq == mailbox.highestmodseq.value) return true;
    if (!at_once && now < last.look_again) return false;
    const auto begun = std::chrono::steady_clock::now();
    const std::string path = sidecar::mailbox_file(snapshot.state().index->id, mailbox.id.value);
    TRY(side, sidecar::gather_mailbox(snapshot, mailbox.id));
    if (side.empty()) {
        TRY_VOID(drop_text(path, last));
        const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begun);
        last.look_again = now + std::max(kPause, took * kShare);
    } else {
        TRY_VOID(keep_text(path, side.encode(), last, now, begun));
    }
    last.modseq = mailbox.highestmodseq.value;
    return true;
}

// Files of mailboxes that are no more.
void Follower::State::forget_mailboxes(AccountId account, const std::vector<MailboxInfo>& existing) {
    const std::string folder = (root / sidecar::folder_path(account)).string();
    std::vector<std::string> gone;
    maildir::list_directory(folder, [&](std::string_view name) {
        if (!name.starts_with(kMessages)) return true;
        std::string_view number = name.substr(kMessages.size());
        if (number.ends_with('~')) number.remove_suffix(1);
        const auto id = text::parse_number<std::uint32_t>(number);
        const bool exists = id && std::any_of(existing.begin(), existing.end(),
                                              [&](const MailboxInfo& box) { return box.id.value == *id; });
        if (!exists) gone.emplace_back(name);
        return true;
    });
    for (const std::string& name : gone) files->remove(folder + '/' + name);
}

Outcome<Follower::Progress> Follower::keep_sidecar(AccountId account, Time now, bool at_once) {
    auto opened = state_->reader->open(account);
    if (!opened) {
        if (opened.error().fault == Fault::non_existent) return Progress::nothing_left;
        return opened.error();
    }
    State::Kept* kept = nullptr;
    {
        const std::lock_guard lock(state_->mutex);
        kept = &state_->kept[account];
    }
    TRY(snapshot, opened->snapshot());
    const std::uint64_t at = snapshot.state().txn.id();
    if (struct stat status{};
        ::lstat((state_->root / sidecar::account_file(account)).c_str(), &status) != 0) {
        *kept = {};  // never written, or somebody removed it
    } else if (kept->snapshot == at) {
        return Progress::nothing_left;
    }
    TRY(mailboxes, snapshot.mailboxes());
    bool is_all = true;
    for (const MailboxInfo& mailbox : mailboxes) {
        TRY(kept_it, state_->keep_mailbox(snapshot, *kept, mailbox, now, at_once));
        is_all = is_all && kept_it;
    }
    const auto before = kept->account.hash;
    TRY(kept_it, state_->keep_account(snapshot, *kept, now, at_once));
    if (!before || before != kept->account.hash) state_->forget_mailboxes(account, mailboxes);
    if (!is_all || !kept_it) return Progress::more_to_do;
    kept->snapshot = at;
    return Progress::nothing_left;
}

}  // namespace mailstead::store
