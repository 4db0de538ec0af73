// Counts what the engine and LMDB ask of the file system, and may refuse any of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "common/commit/file_layer.h"

namespace mailstead::power {

// The calls of one run, numbered from 1. `on_call` answers 0, or the errno with which the call fails.
class Steps {
public:
    std::function<int(std::uint64_t call, const char* what)> on_call;
    std::uint64_t calls() const { return calls_; }
    int take(const char* what) {
        const std::uint64_t call = ++calls_;
        return on_call ? on_call(call, what) : 0;
    }

    // For interpose.cpp: the syncs that LMDB makes by itself are steps as well.
    static void use(Steps* steps);
    static int take_own(const char* what);

private:
    std::atomic<std::uint64_t> calls_ = 0;
};

class SteppedFiles final : public commit::FileLayer {
public:
    SteppedFiles(Steps& steps, std::string boot) : steps_(steps), boot_(std::move(boot)) {
        Steps::use(&steps_);
    }
    ~SteppedFiles() override { Steps::use(nullptr); }

    int open(const std::filesystem::path& path, int flags, mode_t mode, FileDescriptor& opened) override;
    int write_durably(int fd, std::string_view bytes, std::uint64_t offset) override;
    int write(int fd, std::string_view bytes, std::uint64_t offset) override;
    int read(int fd, std::uint64_t offset, std::size_t size, std::string& bytes) override;
    int flush_data(int fd) override;
    int flush(int fd) override;
    int sync_file_system(int fd) override;
    int size_of(int fd, std::uint64_t& size) override;
    int link_descriptor(int fd, const std::filesystem::path& to) override;
    int link(const std::filesystem::path& from, const std::filesystem::path& to) override;
    int rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
    int remove(const std::filesystem::path& path) override;
    int make_directory(const std::filesystem::path& path) override;
    int list(const std::filesystem::path& folder, std::vector<std::string>& names) override;
    std::string boot_id() override { return boot_; }

    // Reads of bytes below this path fail (damaged sectors).
    std::function<bool(const std::filesystem::path& path, std::uint64_t offset, std::size_t size)>
        is_unreadable;

private:
    Steps& steps_;
    std::string boot_;
};

}  // namespace mailstead::power
