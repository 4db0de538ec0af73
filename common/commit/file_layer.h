// Every file operation of the commit engine (LMDB's own aside) goes through here, so that tests can refuse
// any of them and can forget what was not synced. All functions are thread-safe; a number is 0 or errno.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "common/base/file_descriptor.h"

namespace mailstead::commit {

class FileLayer {
public:
    virtual ~FileLayer() = default;
    // The real file system.
    static FileLayer& real();

    // Follows no symbolic link (ELOOP).
    virtual int open(const std::filesystem::path& path, int flags, mode_t mode, FileDescriptor& opened);
    // All of `bytes`, on stable storage when it returns (RWF_DSYNC).
    virtual int write_durably(int fd, std::string_view bytes, std::uint64_t offset);
    // All of `bytes`, somewhere.
    virtual int write(int fd, std::string_view bytes, std::uint64_t offset);
    // Up to `size` bytes; fewer at the end of the file.
    virtual int read(int fd, std::uint64_t offset, std::size_t size, std::string& bytes);
    virtual int flush_data(int fd);        // fdatasync
    virtual int flush(int fd);             // fsync; of a folder: its names
    virtual int sync_file_system(int fd);  // syncfs
    virtual int size_of(int fd, std::uint64_t& size);
    virtual int free_space(int fd, std::uint64_t& bytes);
    // Makes the file `size` bytes long, with space for all of them / without any.
    virtual int allocate(int fd, std::uint64_t size);
    virtual int truncate(int fd, std::uint64_t size);
    // The file system that a path lies on, and of which kind it is (statfs).
    virtual int device_of(const std::filesystem::path& path, std::uint64_t& device);
    virtual int kind_of_file_system(int fd, std::int64_t& kind);

    virtual int link_descriptor(int fd, const std::filesystem::path& to);
    virtual int link(const std::filesystem::path& from, const std::filesystem::path& to);
    virtual int rename(const std::filesystem::path& from, const std::filesystem::path& to);
    virtual int remove(const std::filesystem::path& path);
    virtual int make_directory(const std::filesystem::path& path);
    virtual int list(const std::filesystem::path& folder, std::vector<std::string>& names);

    // Identifies the machine's current boot.
    virtual std::string boot_id();
};

// mkdir -p with mode 0750: what lies at the top of the data folder decides who gets in.
int make_directories(FileLayer& files, const std::filesystem::path& path);

// The names in a folder, made durable. 0 or errno.
int flush_folder(FileLayer& files, const std::filesystem::path& folder);

std::string errno_text(int code);

}  // namespace mailstead::commit
