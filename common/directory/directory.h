// Who has mail here: domains, accounts, addresses. The read side, which every daemon opens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/address.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/directory/routing.h"

namespace mailstead::directory {

enum class AccountState : std::uint8_t {
    active,
    // Receives mail, but nobody can log in.
    disabled,
};

// How much an account may hold; 0: no limit.
struct Limits {
    std::uint64_t octets = 0;
    std::uint64_t messages = 0;  // a copy counts as one more
    std::uint64_t mailboxes = 0;
    friend bool operator==(const Limits&, const Limits&) = default;
};

struct Account {
    AccountId id;
    // The address the person logs in with, and the account's main address.
    Address login;
    // For From of reports and client set-up; may be empty. UTF-8.
    std::string display_name;
    Limits limits;
    // IMAP capabilities not offered to this account; upper case.
    std::vector<std::string> hidden_capabilities;
    Time created{};
    AccountState state = AccountState::active;
    // May set the limits of any account over IMAP (RFC 9208, 4.1.3).
    bool is_admin = false;
};

// An account that was removed. Its number, mail and credentials are still its own.
struct RemovedAccount {
    Account account;
    Time removed{};
    std::optional<Time> delete_at;  // when its mail goes; nullopt: when somebody says so
    bool deleting = false;          // its mail is going: it cannot come back any more
};

struct DomainRecord {
    Domain name;
    Time created{};
    // Where mail for unknown users of the domain goes; nullopt: it is refused.
    std::optional<Address> catch_all;
    // Set when every address of this domain means the same local part at another one.
    std::optional<Domain> alias_of;
};

struct Alias {
    Address address;
    // Ours or anyone's, at least one.
    std::vector<Address> targets;
    Time created{};
};

// Each call sees one snapshot, taken when it starts, so that an edit by the admin CLI counts from the next
// call on. Thread-safe. An Error means that the directory cannot be read: whoever holds mail answers "later",
// never "unknown user".
class Directory {
public:
    virtual ~Directory() = default;

    virtual Result<bool> has_domain(const Domain& domain) const = 0;
    // Where mail for `recipient` goes: see routing.h.
    virtual Result<Resolution> resolve(const Address& recipient) const = 0;
    // Where `postmaster` without a domain goes (RFC 5321, 4.1.1.3).
    virtual Result<Resolution> resolve_postmaster() const = 0;

    virtual Result<std::optional<Account>> find_account(AccountId id) const = 0;
    // By login as a person types it: `you@example.org` in any case, or `you` when only one account has that
    // local part.
    virtual Result<std::optional<Account>> find_by_login(std::string_view login) const = 0;
    // Whether the account may write `from` into MAIL FROM and From: its own addresses (with any +detail),
    // aliases that lead to it, and what its catch-all covers. The null path is the caller's matter.
    virtual Result<bool> may_send_as(AccountId account, const Address& from) const = 0;

    // Listings, in order of name (accounts: of id).
    virtual Result<std::vector<DomainRecord>> domains() const = 0;
    virtual Result<std::optional<DomainRecord>> find_domain(const Domain& domain) const = 0;
    virtual Result<std::vector<Account>> accounts() const = 0;
    virtual Result<std::vector<Alias>> aliases() const = 0;
};

// Opens `data_dir`/directory for reading. It must exist (`mailstead init` makes it). Call once per process,
// after any fork and before the sandbox closes: LMDB maps the data file and writes its lock file.
Result<std::unique_ptr<Directory>> open_directory(const std::filesystem::path& data_dir);

}  // namespace mailstead::directory
