// Private to this folder: the file systems on which the engine's files lie. All of them have to be synced
// before the journal's start may move on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "common/base/file_descriptor.h"
#include "common/base/result.h"
#include "common/commit/file_layer.h"

namespace mailstead::commit {

class Volumes {
public:
    using Log = std::function<void(std::string_view)>;
    Volumes(FileLayer& files, std::filesystem::path root) : files_(files), root_(std::move(root)) {}

    // Finds the file systems of the root, the folders in it, and `others`. An error when one of them cannot
    // keep the promise.
    Result<void> find(const std::vector<std::filesystem::path>& others, const Log& log);
    // Those of an environment and of the folders beside it (accounts/7/index, accounts/7/mail), before
    // anything is written there.
    Result<void> add_environment(const std::filesystem::path& directory);

    // syncfs of each; the first error, or 0. From any thread.
    int sync();
    // The least free space of any of them, in bytes. From any thread.
    int free_space(std::uint64_t& bytes);

private:
    Result<void> add(const std::filesystem::path& folder);
    Result<void> add_children(const std::filesystem::path& folder);
    std::vector<std::shared_ptr<FileDescriptor>> all();

    FileLayer& files_;
    std::filesystem::path root_;
    Log log_;
    std::mutex mutex_;
    std::map<std::uint64_t, std::shared_ptr<FileDescriptor>> by_device_;
};

}  // namespace mailstead::commit
