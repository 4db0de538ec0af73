// One account on a scratch folder, with a committer reduced to what the store needs: apply, do the file
// steps, commit.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/kv/env.h"
#include "common/store/accounts.h"
#include "common/store/follower.h"
#include "common/store/store.h"

namespace mailstead::store {

inline constexpr AccountId kAccount{7};
inline constexpr Time kTime{Milliseconds(1'700'000'000'000)};

// A message with this subject; CRLF.
std::string make_message(std::string_view subject, std::string_view extra_fields = "",
                         std::string_view body = "Hello\r\n");

// What scripts of the tests use instead of literals all over.
MailboxName name(std::string_view utf8);
Append append_to(const MailboxName& mailbox, const std::vector<std::string>& contents,
                 const FlagList& flags = {});
FlagList flags_of(SystemFlags system, std::vector<std::string> keywords = {});

class TestAccount {
public:
    explicit TestAccount(AccountId id = kAccount);
    ~TestAccount();

    Outcome<ChangeResult> apply(const Change& change, const std::vector<std::string>& files = {},
                                bool replaying = false, bool onto_rebuilt = false);
    Outcome<ChangeResult> apply(Action action, const std::vector<std::string>& files = {}) {
        return apply(Change{kTime, std::move(action)}, files);
    }
    // The same, and it must succeed with a result of this kind.
    template <class Kind>
    Kind must(Action action, const std::vector<std::string>& files = {}) {
        auto result = apply(std::move(action), files);
        if (!result) throw std::runtime_error("refused: " + result.error().what);
        return std::get<Kind>(*result);
    }
    Fault fault_of(Action action, const std::vector<std::string>& files = {});

    Appended deliver(std::string_view content, std::string_view mailbox = "INBOX",
                     const FlagList& flags = {});
    MailboxId id_of(std::string_view mailbox);
    Snapshot snapshot();
    MailboxInfo info(std::string_view mailbox);
    std::string read(MailboxId mailbox, Uid uid);
    // Brings all files in line.
    void follow();
    Follower& follower() { return *follower_; }
    Reader& reader() { return *reader_; }

    // Everything that was applied, in order.
    struct Step {
        Change change;
        std::vector<std::string> files;
    };
    std::vector<Step> history;
    bool keep_history = false;

    // Changes of the index alone, when a test wants many messages.
    bool write_files = true;

    // As messages are that came before there were such records.
    void forget_headers();

    // For the follower, from the next reopen() on. What it logs comes to `lines`.
    bool keep_deleted = false;
    std::vector<std::string> lines;

    void reopen();
    // Closes everything, for those who work on the files.
    void close();
    // All databases as text, keys and values.
    std::string dump();
    // Paths below mail/ of all files but "maildirfolder", sorted.
    std::vector<std::string> files() const;
    std::filesystem::path mail() const { return root_ / "accounts" / std::to_string(id_.value) / "mail"; }
    AccountId id() const { return id_; }
    const std::filesystem::path& root() const { return root_; }

private:
    void open();
    void do_file_step(const commit::FileStep& step, const std::vector<std::string>& files, bool replaying);
    AccountId id_;
    std::filesystem::path root_;
    std::shared_ptr<kv::Env> env_;
    Accounts accounts_;
    std::unique_ptr<commit::Environment> environment_;
    std::unique_ptr<Reader> reader_;
    std::unique_ptr<Follower> follower_;
};

}  // namespace mailstead::store
