// An account's index compared with its files, with itself and with its sidecar, while everyone works.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/store/reader.h"

namespace mailstead::store {

struct Finding {
    enum class Kind : std::uint8_t {
        unreadable_index,    // it cannot be opened, or a record of it cannot be read
        wrong_count,         // a sum that the index keeps is not what its messages give
        wrong_ranges,        // a set of UIDs that it keeps is not what its messages give
        missing_body,        // a message without its file
        damaged_body,        // a file of another size than the message
        file_without_entry,  // a file that no message has
        damaged_cache,       // a fetch cache that cannot be read, or is missing
        wrong_sidecar,       // the list beside the files lacks a mailbox or has another UIDVALIDITY
    };
    enum class Repair : std::uint8_t {
        rebuild,      // rebuild_index() mends it
        adopt,        // the file becomes a message when the account is rebuilt
        by_itself,    // mended in the background, or answered from the file
        from_backup,  // the bytes are lost: only a backup has them
    };
    Kind kind = Kind::wrong_count;
    Repair repair = Repair::rebuild;
    std::string mailbox;  // empty: the account
    Uid uid;              // 0: none
    std::string what;     // one sentence; holds no contents of messages
};
std::string_view name_of(Finding::Kind kind);
std::string_view name_of(Finding::Repair repair);

struct VerifyOptions {
    bool files = true;                 // compare with the Maildir, too
    std::size_t max_findings = 1'000;  // the first of them are listed, all are counted
};

struct VerifyReport {
    std::uint64_t mailboxes = 0;
    std::uint64_t messages = 0;
    std::uint64_t files = 0;
    std::uint64_t findings_found = 0;
    std::vector<Finding> findings;
};

// Told now and then how many of the messages were looked at; false ends the work: the report says what was
// found so far.
using VerifyProgress = std::function<bool(std::uint64_t done, std::uint64_t of)>;

// Looks at one snapshot per mailbox, so that the index can reuse its pages in between; what other processes
// do meanwhile is no finding. Reads names and sizes of files, not their bytes. Memory: some bytes for each
// message of the largest mailbox. `reader` is that of the process. Blocks; never changes anything.
VerifyReport verify_account(const std::filesystem::path& root, Reader& reader, AccountId account,
                            const VerifyOptions& options = {}, const VerifyProgress& progress = {});

// The same for a process that has no reader, such as the admin CLI.
VerifyReport verify_account(const std::filesystem::path& root, AccountId account,
                            const VerifyOptions& options = {}, const VerifyProgress& progress = {});

}  // namespace mailstead::store
