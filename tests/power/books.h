// What was acknowledged, and whether it is there: messages with their bytes, UIDs and flags, queue entries,
// ledger lines, shares.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace mailstead::power {

inline constexpr std::uint32_t kAccounts = 3;  // 1 to kAccounts

struct Figures {
    std::uint64_t points = 0;  // recoveries after a cut, a kill, a fault or damage
    std::uint64_t acknowledged =
        0;  // messages, entries, lines and shares that had to be there, over all points
    std::uint64_t lost = 0;
    std::uint64_t doubled = 0;
    std::uint64_t uids_reused = 0;
    std::uint64_t wrong = 0;            // flags, bytes, half a transaction, something from nowhere
    std::uint64_t failed_starts = 0;    // recoveries that had to succeed
    std::uint64_t refused = 0;          // starts that said why not, where they may
    std::vector<std::string> findings;  // the first of them, in words

    void found(std::uint64_t Figures::*kind, const std::string& what);
    void add(const Figures& other);
    bool all_held() const { return lost + doubled + uids_reused + wrong + failed_starts == 0; }
    std::string text() const;
};

// Where a message is, as its client was told.
struct Place {
    MailboxId mailbox;
    std::uint32_t uidvalidity = 0;
    std::uint32_t uid = 0;  // 0: not told yet
    std::uint8_t flags = 0;
    bool keyword = false;
    bool gone = false;
};

// One message of one account. `certain` was acknowledged; `asked` is under way: after a crash either holds.
struct Letter {
    std::shared_ptr<const std::string> bytes;
    std::optional<Place> certain;
    std::optional<Place> asked;
};

struct Outbound {
    std::shared_ptr<const std::string> bytes;
    std::uint64_t id = 0;  // 0: not told yet
    // Attempts; -1: delivered, the entry is gone. Nothing: not acknowledged.
    std::optional<int> certain;
    std::optional<int> asked;
};

struct Line {
    bool certain = false;
};

// Locked by whoever uses it while an engine runs; copied as it is at the moment of a cut.
class Books {
public:
    using LetterKey = std::pair<std::uint32_t, std::string>;  // account, token
    using UidKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;

    std::map<LetterKey, Letter> letters;
    std::map<std::string, Outbound> queue;                           // by token
    std::map<std::string, Line> lines;                               // by token
    std::map<std::pair<std::uint32_t, std::uint32_t>, Line> shares;  // owner, with
    std::map<UidKey, std::string> uids;              // account, UIDVALIDITY, mailbox, UID -> token
    std::map<std::uint64_t, std::string> queue_ids;  // -> token

    // A UID that a client was told of, or that was read: it names this message and no other, ever.
    void saw_uid(std::uint32_t account, const Place& place, const std::string& token, Figures& figures);

    // Compares with what lies below `root`, whose engine runs in this process, and takes for certain what is
    // there: what was asked and did not happen is forgotten.
    void check(const std::filesystem::path& root, Figures& figures, const std::string& when);
    std::uint64_t certain() const;

private:
    void check_account(const std::filesystem::path& root, std::uint32_t account, Figures& figures,
                       const std::string& when);
    void check_queue(const std::filesystem::path& root, Figures& figures, const std::string& when);
    void check_ledger(const std::filesystem::path& root, Figures& figures, const std::string& when);
    void check_shares(const std::filesystem::path& root, Figures& figures, const std::string& when);
    void check_whole(Figures& figures, const std::string& when);
    std::map<std::string, std::array<int, 2>>
        half_done_;  // token -> parts of an unanswered one: there, not there
};

std::string token_of(std::string_view message);

}  // namespace mailstead::power
