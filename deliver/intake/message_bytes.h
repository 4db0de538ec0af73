// The bytes of a message file that came over a socket.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/commit/engine.h"

namespace mailstead::deliver {

// Small files are read, large ones mapped. Keep it only while the descriptor's owner lives on.
class MessageBytes {
public:
    // Refuses what is not a regular file of exactly `size` bytes.
    static Result<MessageBytes> read(int descriptor, std::uint64_t size);
    ~MessageBytes();
    MessageBytes(MessageBytes&& other) noexcept;
    MessageBytes& operator=(MessageBytes&& other) noexcept;

    std::string_view view() const {
        return mapped_ ? std::string_view(mapped_, size_) : std::string_view(*content_);
    }
    // The bytes as the commit engine shares them; nullptr for a large file.
    std::shared_ptr<const std::string> content() const { return content_; }

private:
    MessageBytes() = default;
    std::shared_ptr<const std::string> content_;
    const char* mapped_ = nullptr;
    std::size_t size_ = 0;
};

// The size of a regular file, or why it is none.
Result<std::uint64_t> file_size(int descriptor);

}  // namespace mailstead::deliver
