// Brings the full-text index of one account after its mailboxes, in bounded steps. Driven by deliver in the
// background; killed at any point it takes up where the last commit was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/fulltext/text_index.h"
#include "common/store/store.h"

namespace mailstead::fulltext {

// `<root>/accounts/7/fulltext`
std::filesystem::path index_directory(const std::filesystem::path& root, AccountId account);
// Which history of the account message ids belong to: a rebuilt index numbers messages anew.
store::Outcome<std::string> identity_of(const store::Snapshot& snapshot);

struct IndexerOptions {
    std::size_t messages_per_step = 100;
    std::uint64_t octets_per_step = 16 * 1024 * 1024;
    // Places of words in messages that are gathered before a commit: some 100 bytes of memory each.
    std::size_t pending = 400'000;
    // Messages that are looked up in the mailboxes at once.
    std::size_t listed = 20'000;
};

// One thread. Memory is bounded by the options, and one message.
class AccountIndexer {
public:
    // `reader` outlives it.
    AccountIndexer(std::filesystem::path root, store::Reader& reader, AccountId account,
                   IndexerOptions options = {});
    ~AccountIndexer();  // what a step has not committed will be done again

    enum class Progress { nothing_left, more_to_do };
    // Adds some messages, or, when all are there, takes out some that were expunged. After nothing_left all
    // is committed. Transient failures of store::Fault::unavailable: try again much later.
    store::Outcome<Progress> step();
    // Commits what the steps so far have done.
    store::Outcome<void> commit();

    // How many messages came after those that are indexed; 0 also for an account that does not exist yet.
    store::Outcome<std::uint64_t> behind();

private:
    struct Entry {
        MailboxId mailbox;
        store::MessageInfo message;
    };
    store::Outcome<void> open(const store::Snapshot& now);
    store::Outcome<void> list(const store::Snapshot& now);
    store::Outcome<void> add_some(const store::Snapshot& now);
    enum class Added { yes, gone, moved };
    store::Outcome<Added> add(const store::Snapshot& now, const Entry& entry);
    store::Outcome<bool> remove_some(const store::Snapshot& now);

    std::filesystem::path root_;
    store::Reader& reader_;
    AccountId account_;
    IndexerOptions options_;
    std::optional<store::AccountReader> mailboxes_;
    std::optional<TextIndexWriter> index_;
    std::vector<Entry> left_;    // to be added, the lowest id last
    std::uint64_t reaches_ = 0;  // when all of left_ is done
    std::uint64_t done_ = 0;     // reached, committed or not
    std::uint64_t swept_ = 0;    // up to here expunged messages were taken out
    bool dirty_ = false;
    MessageWords words_;
    std::string bytes_;
};

}  // namespace mailstead::fulltext
