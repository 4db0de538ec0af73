// Private to this folder: space that is held back, so that a full disk still takes what makes room again.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/file_descriptor.h"
#include "common/commit/file_layer.h"

namespace mailstead::commit {

// With less than this left on the file system a piece of the reserve is given up, before an index finds no
// room at its commit.
inline constexpr std::uint64_t kLeastSpace = std::uint64_t{8} << 20;

// With less than this nothing is promised any more. One commit of an index writes much less.
inline constexpr std::uint64_t kLastSpace = std::uint64_t{2} << 20;

class Reserve {
public:
    Reserve(FileLayer& files, std::filesystem::path path, std::uint64_t size)
        : files_(files), path_(std::move(path)), size_(size) {}

    // What an earlier run left of it. Needs no space.
    void open();
    // Makes it whole again, when the file system has `spare` bytes beyond it.
    void refill(std::uint64_t free_space, std::uint64_t spare);
    // Gives up a piece; false: there is nothing left.
    bool release();
    std::uint64_t left() const { return left_; }

private:
    FileLayer& files_;
    std::filesystem::path path_;
    std::uint64_t size_;
    FileDescriptor file_;
    std::uint64_t left_ = 0;
};

}  // namespace mailstead::commit
