// A file's bytes in the address space, for parsing.
#pragma once

#include <cstdint>
#include <string_view>
#include <sys/mman.h>

namespace mailstead::imapd {

// Whether all of it will be looked at.
enum class Prefault : bool { no, yes };

// Message files never change once they are in the store, so that mapping them is safe.
class MappedFile {
public:
    MappedFile(int fd, std::uint64_t size, Prefault prefault = Prefault::yes)
        : size_(static_cast<std::size_t>(size)) {
        const int flags = MAP_PRIVATE | (prefault == Prefault::yes ? MAP_POPULATE : 0);
        if (size_ != 0) address_ = ::mmap(nullptr, size_, PROT_READ, flags, fd, 0);
    }
    ~MappedFile() {
        if (ok() && size_ != 0) ::munmap(address_, size_);
    }
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    bool ok() const { return address_ != MAP_FAILED; }
    std::string_view bytes() const {
        return size_ == 0 ? std::string_view() : std::string_view(static_cast<const char*>(address_), size_);
    }

private:
    void* address_ = nullptr;
    std::size_t size_;
};

}  // namespace mailstead::imapd
