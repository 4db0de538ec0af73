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

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/store/change.h"
#include "common/store/reader.h"

namespace mailstead::commit {
class FileLayer;
}

namespace mailstead::store {

class Follower {
public:
    // Submits one change of an account and waits for its outcome; deliver wraps
    // commit::Engine::submit_and_wait.
    using Submit = std::function<Outcome<ChangeResult>(AccountId, Change)>;

    // `reader` and `files` outlive it (nullptr: the real file system). `root` is the data folder.
    Follower(std::filesystem::path root, Reader& reader, Submit submit, commit::FileLayer* files = nullptr);
    ~Follower();

    enum class Progress { nothing_left, more_to_do };
    // Does at most `limit` file operations (link, rename, unlink) and submits at most one change. Call it
    // again soon on more_to_do; after nothing_left when the account has changed.
    Outcome<Progress> follow(AccountId account, std::size_t limit = 256);

    // Looks for files that other programs dropped into new/ or cur/ and takes in at most `limit` of them. A
    // folder is read only when its modification time changed, and not more often than one hundred times the
    // time it took (`now` decides). Call it now and then for each account in use.
    Outcome<Progress> adopt(AccountId account, Time now, std::size_t limit = 64);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::store
