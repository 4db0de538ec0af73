// Brings Maildir files in line with the index, and foreign files into it: names after flags, links after
// COPY, renames after MOVE, unlinks after EXPUNGE, folders after CREATE, RENAME and DELETE. Driven by deliver
// in the background; each call is bounded.
//
// Calls for one account come one at a time (from any thread that may block). Everything it learns becomes a
// Change, so the index stays with its one writer. Killed at any point it takes up where it stopped.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/store/change.h"
#include "common/store/reader.h"

namespace mailstead::commit {
class FileLayer;
}

namespace mailstead::store {

struct FollowerOptions {
    // What is expunged lies in the account's folder of deleted messages afterwards (deleted.h); otherwise it
    // is gone.
    bool keep_deleted = false;
    // One line about what an operator should know (a link where a folder should be).
    std::function<void(std::string_view)> log;
};

class Follower {
public:
    // Submits one change of an account and waits for its outcome; deliver wraps
    // commit::Engine::submit_and_wait.
    using Submit = std::function<Outcome<ChangeResult>(AccountId, Change)>;

    // `reader` and `files` outlive it (nullptr: the real file system). `root` is the data folder.
    Follower(std::filesystem::path root, Reader& reader, Submit submit, commit::FileLayer* files = nullptr,
             FollowerOptions options = {});
    ~Follower();

    enum class Progress { nothing_left, more_to_do };
    // Does at most `limit` file operations (link, rename, unlink) and submits at most one change. Call it
    // again soon on more_to_do; after nothing_left when the account has changed.
    Outcome<Progress> follow(AccountId account, std::size_t limit = 256);

    // Looks for files that other programs dropped into new/ or cur/ and takes in at most `limit` of them; a
    // folder that they made becomes a mailbox. A folder is read only when its modification time changed, and
    // not more often than one hundred times the time it took (`now` decides); one that is a link is not read.
    // Call it now and then for each account in use.
    Outcome<Progress> adopt(AccountId account, Time now, std::size_t limit = 64);

    // Writes down beside the files what their names do not tell, so that a lost index can be made anew
    // (sidecar.h): what has changed since the last call, each file at most every five seconds and as its size
    // allows; all of it with `at_once`, before a stop. more_to_do: some of it was not due yet. Costs next to
    // nothing when nothing has changed.
    Outcome<Progress> keep_sidecar(AccountId account, Time now, bool at_once = false);

    struct State;  // the store's own

private:
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::store
