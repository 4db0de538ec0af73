#include "deliver/intake/message_bytes.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mailstead::deliver {

Result<std::uint64_t> file_size(int descriptor) {
    struct stat facts {};
    if (::fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode))
        return permanent_error("the message is not a file");
    return static_cast<std::uint64_t>(facts.st_size);
}

Result<MessageBytes> MessageBytes::read(int descriptor, std::uint64_t size) {
    TRY(actual, file_size(descriptor));
    if (actual != size) return permanent_error("the message's file has another size than announced");
    MessageBytes bytes;
    bytes.size_ = static_cast<std::size_t>(size);
    if (size > commit::kJournaledFileSize) {
        void* mapped = ::mmap(nullptr, bytes.size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (mapped == MAP_FAILED) return transient_error("the message's file cannot be mapped");
        bytes.mapped_ = static_cast<const char*>(mapped);
        return bytes;
    }
    std::string content(bytes.size_, '\0');
    std::size_t filled = 0;
    while (filled < content.size()) {
        const ssize_t count =
            ::pread(descriptor, content.data() + filled, content.size() - filled, static_cast<off_t>(filled));
        if (count <= 0) return transient_error("the message's file cannot be read");
        filled += static_cast<std::size_t>(count);
    }
    bytes.content_ = std::make_shared<const std::string>(std::move(content));
    return bytes;
}

MessageBytes::~MessageBytes() {
    if (mapped_) ::munmap(const_cast<char*>(mapped_), size_);
}

MessageBytes::MessageBytes(MessageBytes&& other) noexcept
    : content_(std::move(other.content_)),
      mapped_(std::exchange(other.mapped_, nullptr)),
      size_(other.size_) {}

MessageBytes& MessageBytes::operator=(MessageBytes&& other) noexcept {
    std::swap(content_, other.content_);
    std::swap(mapped_, other.mapped_);
    std::swap(size_, other.size_);
    return *this;
}

}  // namespace mailstead::deliver
