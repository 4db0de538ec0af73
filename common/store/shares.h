// Who shares mailboxes with whom, for all accounts: an environment of its own beside the accounts' indexes,
// so that nobody has to open every account to learn what is shared with him. The access lists in the owners'
// indexes are the truth; this names where to look, and may name an owner who has withdrawn everything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/commit/participant.h"
#include "common/kv/env.h"
#include "common/store/rights.h"

namespace mailstead::store {

inline constexpr std::string_view kSharesEnvironment = "shares";

// `owner` grants something to `with` (kAnyone for all). Goes into the journal together with the SetAcl.
struct NoteShare {
    AccountId owner;
    AccountId with;
};
// `owner` no longer does: forgotten unless it was noted anew since `stamp` was read.
struct DropShare {
    AccountId owner;
    AccountId with;
    std::uint64_t stamp = 0;
};
// The account is gone: all that names it.
struct ForgetSharer {
    AccountId account;
};
using ShareChange = std::variant<NoteShare, DropShare, ForgetSharer>;

std::string encode(const ShareChange& change);
Result<ShareChange> decode_share_change(std::string_view bytes);

// The commit engine's participant, kind "shares". Results are empty.
class SharesParticipant final : public commit::Participant {
public:
    Result<commit::EnvironmentPlace> locate(std::string_view name) override;
    Result<std::unique_ptr<commit::Environment>> attach(std::string_view name,
                                                        std::shared_ptr<kv::Env> env) override;
};

// Thread-safe. Opens the environment with the first question, again and again until deliver has made it, and
// anew when it was replaced; in deliver itself ask only after Engine::start().
class SharesReader {
public:
    explicit SharesReader(const std::filesystem::path& data_dir) : directory_(data_dir / "shares") {}

    // Lets go of the files until the next question.
    void close();

    // Owners that share with `with` or with anyone, `with` itself left out; rising.
    Result<std::vector<AccountId>> sharers(AccountId with) const;
    Result<bool> is_sharer(AccountId owner, AccountId with) const;
    // With whom `owner` shares; kAnyone for all; rising.
    Result<std::vector<AccountId>> shared_by(AccountId owner) const;
    // When it was noted last, for DropShare; nullopt when it is not.
    Result<std::optional<std::uint64_t>> stamp(AccountId owner, AccountId with) const;

private:
    struct Open {
        std::shared_ptr<kv::Env> env;
        kv::Database with, by;
    };
    Result<Open> open() const;

    std::filesystem::path directory_;
    mutable std::mutex mutex_;
    mutable std::optional<Open> open_;
};

}  // namespace mailstead::store
