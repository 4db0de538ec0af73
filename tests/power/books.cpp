#include "tests/power/books.h"

#include <algorithm>
#include <unistd.h>

#include "common/ledger/ledger.h"
#include "common/queue/reader.h"
#include "common/store/shares.h"
#include "common/store/store.h"
#include "tests/power/disk.h"

namespace mailstead::power {
namespace {

std::string shortly(const Place& place) {
    if (place.gone) return "expunged";
    return "mailbox " + std::to_string(place.mailbox.value) + " UID " + std::to_string(place.uid) +
           " flags " + std::to_string(place.flags) + (place.keyword ? "+" : "");
}

// Whether what is there is what was said; a mailbox or UID that was not told may be any.
bool fits(const std::optional<Place>& said, const std::optional<Place>& there) {
    const bool expects = said && !said->gone;
    if (!expects || !there) return !expects && !there;
    return (!said->mailbox || said->mailbox == there->mailbox) &&
           (said->uid == 0 || said->uid == there->uid) &&
           (said->uidvalidity == 0 || said->uidvalidity == there->uidvalidity) &&
           said->flags == there->flags && said->keyword == there->keyword;
}

}  // namespace

void Figures::found(std::uint64_t Figures::*kind, const std::string& what) {
    ++(this->*kind);
    if (findings.size() < 20) findings.push_back(what);
}

void Figures::add(const Figures& other) {
    for (const auto kind :
         {&Figures::points, &Figures::acknowledged, &Figures::lost, &Figures::doubled, &Figures::uids_reused,
          &Figures::wrong, &Figures::failed_starts, &Figures::refused})
        this->*kind += other.*kind;
    for (const auto& each : other.findings) {
        if (findings.size() < 20) findings.push_back(each);
    }
}

std::string Figures::text() const {
    std::string text = "points tried " + std::to_string(points) + ", acknowledged " +
                       std::to_string(acknowledged) + ", lost " + std::to_string(lost) + ", doubled " +
                       std::to_string(doubled) + ", UIDs reused " + std::to_string(uids_reused) +
                       ", otherwise wrong " + std::to_string(wrong) + ", starts that failed " +
                       std::to_string(failed_starts) + ", refused with a reason " + std::to_string(refused);
    for (const auto& each : findings) text += "\n  " + each;
    return text;
}

std::string token_of(std::string_view message) {
    const auto at = message.find("Subject: ");
    if (at == std::string_view::npos) return {};
    const auto end = message.find("\r\n", at);
    return std::string(message.substr(at + 9, end - at - 9));
}

std::uint64_t Books::certain() const {
    const auto count = [](const auto& all) {
        return static_cast<std::uint64_t>(std::count_if(
            all.begin(), all.end(), [](const auto& each) { return static_cast<bool>(each.second.certain); }));
    };
    return count(letters) + count(queue) + count(lines) + count(shares);
}

void Books::saw_uid(std::uint32_t account, const Place& place, const std::string& token, Figures& figures) {
    const auto [entry, is_new] =
        uids.emplace(UidKey{account, place.uidvalidity, place.mailbox.value, place.uid}, token);
    if (!is_new && entry->second != token)
        figures.found(&Figures::uids_reused, "account " + std::to_string(account) + ", " + shortly(place) +
                                                 " named " + entry->second + " and now " + token);
}

void Books::check(const std::filesystem::path& root, Figures& figures, const std::string& when) {
    ++figures.points;
    figures.acknowledged += certain();
    half_done_.clear();
    for (std::uint32_t account = 1; account <= kAccounts; ++account)
        check_account(root, account, figures, when);
    check_queue(root, figures, when);
    check_ledger(root, figures, when);
    check_shares(root, figures, when);
    check_whole(figures, when);
}

void Books::check_account(const std::filesystem::path& root, std::uint32_t account, Figures& figures,
                          const std::string& when) {
    store::ReaderOptions options;
    options.root = root;
    options.beside_engine = true;
    store::Reader reader(options);
    const std::string whose = "account " + std::to_string(account);
    std::map<std::string, std::optional<Place>> there;
    const auto read = [&]() -> store::Outcome<void> {
        TRY(opened, reader.open(AccountId(account)));
        TRY(snapshot, opened.snapshot());
        TRY(mailboxes, snapshot.mailboxes());
        for (const auto& mailbox : mailboxes) {
            std::uint32_t count = 0;
            TRY_VOID(
                snapshot.messages(mailbox.id, store::UidSet::all(), [&](const store::MessageInfo& message) {
                    ++count;
                    Place place{mailbox.id,
                                mailbox.uidvalidity.value,
                                message.uid.value,
                                message.flags.system.bits(),
                                !message.flags.keywords.empty(),
                                false};
                    std::string bytes;
                    if (const auto file = snapshot.open_message(mailbox.id, message)) {
                        bytes.resize(file->size);
                        if (::pread(file->descriptor.get(), bytes.data(), bytes.size(), 0) !=
                            static_cast<ssize_t>(bytes.size()))
                            bytes.clear();
                    }
                    const std::string token = token_of(bytes);
                    const auto letter = letters.find({account, token});
                    if (letter == letters.end()) {
                        // A lost body is counted with its letter, which is missing then.
                        figures.found(&Figures::wrong,
                                      whose + ", " + shortly(place) + ": " +
                                          (bytes.empty() ? "no body" : token + " from nowhere") + when);
                        return true;
                    }
                    if (bytes != *letter->second.bytes)
                        figures.found(&Figures::lost, whose + ": other bytes of " + token + when);
                    saw_uid(account, place, token, figures);
                    if (!there.emplace(token, place).second)
                        figures.found(&Figures::doubled, whose + ": " + token + " twice" + when);
                    return true;
                }));
            if (count != mailbox.messages) figures.found(&Figures::wrong, whose + ": counts differ" + when);
        }
        return {};
    };
    if (const auto done = read(); !done && done.error().fault != store::Fault::non_existent)
        figures.found(&Figures::wrong, whose + ": " + done.error().what + when);
    for (auto at = letters.lower_bound({account, ""}); at != letters.end() && at->first.first == account;) {
        const std::string& token = at->first.second;
        Letter& letter = at->second;
        const auto found = there.find(token);
        const std::optional<Place> now = found == there.end() ? std::nullopt : found->second;
        if (!letter.certain) ++half_done_[token][now ? 0 : 1];
        if (!fits(letter.certain, now) && !(letter.asked && fits(letter.asked, now))) {
            const bool must_be = letter.certain && !letter.certain->gone;
            const std::string what = whose + ": " + token + " was acknowledged as " +
                                     (letter.certain ? shortly(*letter.certain) : "nothing") + " and is " +
                                     (now ? shortly(*now) : "nowhere") + when;
            figures.found(must_be && !now ? &Figures::lost : &Figures::wrong, what);
        }
        letter.asked.reset();
        if (now) {
            letter.certain = now;
        } else if (letter.certain) {
            letter.certain->gone = true;
        }
        at = letter.certain ? std::next(at) : letters.erase(at);
    }
}

void Books::check_queue(const std::filesystem::path& root, Figures& figures, const std::string& when) {
    std::map<std::string, int> there;
    const auto reader = queue::QueueReader::open(root);
    if (reader) {
        const auto damaged = (*reader)->for_each([&](const queue::QueueEntry& entry) {
            const std::string& token = entry.trace_id;
            if (!there.emplace(token, static_cast<int>(entry.recipients.at(0).progress.attempts)).second)
                figures.found(&Figures::doubled, "queue: " + token + " twice" + when);
            const auto [id, is_new] = queue_ids.emplace(entry.id.value, token);
            if (!is_new && id->second != token)
                figures.found(&Figures::uids_reused, "queue: number " + std::to_string(entry.id.value) +
                                                         " named " + id->second + " and now " + token + when);
            const auto outbound = queue.find(token);
            if (outbound == queue.end()) {
                figures.found(&Figures::wrong, "queue: " + token + " from nowhere" + when);
            } else if (read_file(root / queue::spool_path(entry.id)) != *outbound->second.bytes) {
                figures.found(&Figures::lost, "queue: other bytes of " + token + when);
            }
            return true;
        });
        if (!damaged || *damaged != 0) figures.found(&Figures::wrong, "queue: damaged entries" + when);
    }
    for (auto at = queue.begin(); at != queue.end();) {
        Outbound& outbound = at->second;
        const auto found = there.find(at->first);
        const std::optional<int> now = found == there.end() ? std::nullopt : std::optional(found->second);
        const auto fits_now = [&](std::optional<int> said) { return said.value_or(-1) == now.value_or(-1); };
        if (!outbound.certain) ++half_done_[at->first][now ? 0 : 1];
        if (!fits_now(outbound.certain) && !(outbound.asked && fits_now(outbound.asked))) {
            const bool must_be = outbound.certain.value_or(-1) >= 0;
            figures.found(must_be && !now ? &Figures::lost : &Figures::wrong,
                          "queue: " + at->first + " was acknowledged with " +
                              std::to_string(outbound.certain.value_or(-1)) + " attempts and has " +
                              std::to_string(now.value_or(-1)) + when);
        }
        outbound.asked.reset();
        if (now || outbound.certain) outbound.certain = now.value_or(-1);
        at = outbound.certain ? std::next(at) : queue.erase(at);
    }
}

void Books::check_ledger(const std::filesystem::path& root, Figures& figures, const std::string& when) {
    const auto reader = ledger::Reader::open(root);
    for (auto at = lines.begin(); at != lines.end();) {
        std::size_t count = 0;
        if (reader) {
            if (const auto found = reader->find(at->first)) count = found->size();
        }
        if (!at->second.certain) ++half_done_[at->first][count > 0 ? 0 : 1];
        if (count == 0 && at->second.certain) figures.found(&Figures::lost, "ledger: " + at->first + when);
        if (count > 1) figures.found(&Figures::doubled, "ledger: " + at->first + when);
        at->second.certain = count > 0;
        at = count > 0 ? std::next(at) : lines.erase(at);
    }
}

void Books::check_shares(const std::filesystem::path& root, Figures& figures, const std::string& when) {
    const store::SharesReader reader(root);
    for (auto at = shares.begin(); at != shares.end();) {
        const auto there = reader.is_sharer(AccountId(at->first.first), AccountId(at->first.second));
        const bool is_there = there && *there;
        if (at->second.certain && !is_there) figures.found(&Figures::lost, "a share" + when);
        at->second.certain = is_there;
        at = is_there ? std::next(at) : shares.erase(at);
    }
}

// A transaction that nobody answered is there as a whole or not at all.
void Books::check_whole(Figures& figures, const std::string& when) {
    for (const auto& [token, parts] : half_done_) {
        if (parts[0] != 0 && parts[1] != 0)
            figures.found(&Figures::wrong, token + ": " + std::to_string(parts[0]) +
                                               " parts of it are there and " + std::to_string(parts[1]) +
                                               " are not" + when);
    }
}

}  // namespace mailstead::power
