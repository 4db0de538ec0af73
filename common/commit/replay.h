// Private to this folder: records out of the journal or a debt, done again.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/commit/file_layer.h"
#include "common/commit/holdings.h"
#include "common/commit/record.h"

namespace mailstead::commit {

struct ReplayOptions {
    // The environment may not be what it was when the changes were made: what does not apply is passed over.
    bool may_differ = false;
    // It was rebuilt from its files.
    bool onto_rebuilt = false;
    // Parts that need not be applied; none: all.
    std::function<bool(const RecordedTransaction&, const RecordedPart&)> is_done;
    std::function<void(const std::string&)> log;
};

struct Replayed {
    std::size_t applied = 0;
    std::size_t passed_over = 0;
    // What the applied parts asked for, for records that do not name it.
    std::vector<std::pair<const RecordedPart*, std::vector<FileStep>>> steps;
};

// Applies what the record has for the environment, as one commit with the batch's number. Its map grows where
// LMDB asks for it. After an error nothing of the record is in the environment.
Result<Replayed> replay(Holding& holding, const Record& record, const ReplayOptions& options);

// Message files that the changes of a record are about.
class FileRedo {
public:
    FileRedo(FileLayer& files, std::filesystem::path root) : files_(files), root_(std::move(root)) {}

    // The step's name exists afterwards, with the bytes that belong to it. Not for removals.
    Result<void> redo(const FileStep& step, const RecordedTransaction& transaction);
    bool is_whole(const std::filesystem::path& path, const RecordedFile& file);
    std::size_t restored() const { return restored_; }

private:
    Result<FileDescriptor> source_of(const RecordedFile& file, const std::filesystem::path& folder);

    FileLayer& files_;
    std::filesystem::path root_;
    std::size_t restored_ = 0;
};

}  // namespace mailstead::commit
