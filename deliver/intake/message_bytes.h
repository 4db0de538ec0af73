// A message file that came over a socket, as bytes and as a file that its sender has no hand on any more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/file_descriptor.h"
#include "common/base/result.h"
#include "common/commit/engine.h"

namespace mailstead::deliver {

// The peer may keep its descriptor, write and cut: neither may reach what is parsed or kept. So the bytes are
// copied into a file of our own before anyone looks at them; a large one by the file system (reflink, or in
// the kernel). One that is a mailbox's already, which COPY between accounts passes, is ours: it gets one more
// name.
class MessageBytes {
public:
    // Where messages come from and go to. Thread-safe once made.
    class Places {
    public:
        // An error: data/spool cannot be opened.
        static Result<Places> open(const std::filesystem::path& data_dir, std::uint64_t max_size);

    private:
        friend class MessageBytes;
        FileDescriptor spool_;
        std::string accounts_;        // as the kernel names the folder
        std::uint64_t max_size_ = 0;  // octets of a message that is copied
    };

    // Refuses what is not a regular file of exactly `size` bytes, and what is larger than `places` allow
    // (permanent). Transient: it cannot be read or copied, or was cut meanwhile. Blocks for as long as the
    // copy takes.
    static Result<MessageBytes> take(FileDescriptor file, std::uint64_t size, const Places& places);
    ~MessageBytes();
    MessageBytes(MessageBytes&& other) noexcept;
    MessageBytes& operator=(MessageBytes&& other) noexcept;

    std::string_view view() const {
        return mapped_ ? std::string_view(mapped_, size_) : std::string_view(*content_);
    }
    // The bytes as the commit engine shares them; nullptr for a large file.
    std::shared_ptr<const std::string> content() const { return content_; }
    // The file, once, for the engine; view() stays.
    FileDescriptor release_file() { return std::move(file_); }

private:
    MessageBytes() = default;
    Result<void> read_small();
    Result<void> copy_small(const Places& places);
    Result<void> copy_large(const Places& places);
    Result<void> map();

    FileDescriptor file_;
    std::shared_ptr<const std::string> content_;
    const char* mapped_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace mailstead::deliver
