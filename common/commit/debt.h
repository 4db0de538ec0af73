// Private to this folder: what an environment that is set aside is owed, in a file beside the journal. With
// it on disk the journal's start may move on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/commit/engine.h"
#include "common/commit/file_layer.h"
#include "common/commit/record.h"

namespace mailstead::commit {

struct Debt {
    SetAside aside;
    // Of its data file when it was set aside; 0: none, or not to be trusted. The same file later is not a
    // rebuilt one.
    std::uint64_t inode = 0;
    // That file was rebuilt from the message files, and is taking the changes in.
    bool onto_rebuilt = false;
    std::string meta_pages;           // the checkpoint to which that file returns; empty: unknown
    std::vector<std::string> frames;  // encoded records, each with this environment alone
};

// The share of `key` in a record; without parts when it has none. Views point where those of `record` do.
Record share_of(const Record& record, std::string_view key);
// The share of `key` in journal frames that come in order.
class ShareCollector {
public:
    explicit ShareCollector(Debt& debt) : debt_(debt) {}
    // An error: the frame is not understood.
    Result<void> take(std::string_view frame);

private:
    Debt& debt_;
};

// Whether an Error says that the environment itself is the trouble, rather than a lack of space or memory.
bool blames_environment(const Error& error);
std::uint64_t inode_of_data_file(const std::filesystem::path& directory);

// The files. `directory` is the journal's.
Result<void> write_debt(FileLayer& files, const std::filesystem::path& directory, const Debt& debt);
Result<Debt> read_debt(FileLayer& files, const std::filesystem::path& directory, std::string_view key);
Result<void> remove_debt(FileLayer& files, const std::filesystem::path& directory, std::string_view key);
// Who has one, with the reason. One that cannot be read is Fault::damaged.
std::vector<SetAside> list_debts(FileLayer& files, const std::filesystem::path& directory);

}  // namespace mailstead::commit
