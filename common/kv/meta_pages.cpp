// LMDB 0.9's data file starts with two meta pages; commits write them in turn, and opening takes the one with
// the higher transaction number. Putting both back therefore returns the file to the snapshot they name.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file_descriptor.h"
#include "common/kv/env.h"
#include "common/kv/env_state.h"

namespace mailstead::kv {
namespace {

// struct MDB_page's header and struct MDB_meta, as version 1 of the data format lays them out on 64-bit
// machines.
static_assert(sizeof(void*) == 8, "the journal keeps LMDB's 64-bit meta pages");
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kFlagsAt = 10;
constexpr std::uint16_t kMetaFlag = 0x08;
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPageSizeAt =
    kPageHeader + 24;  // after magic, version, address, map size: first field of the free list's record
constexpr std::size_t kLastPageAt = kPageHeader + 120;  // after two records of 48 bytes
constexpr std::size_t kUsed = kPageHeader + 136;

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
    Number n{};
    std::memcpy(&n, bytes.data() + at, sizeof n);
    return n;
}

// The page size a meta page names; 0 when it is none.
std::size_t meta_page_size(std::string_view page) {
    if (page.size() != kUsed) return 0;
    if ((number_at<std::uint16_t>(page, kFlagsAt) & kMetaFlag) == 0) return 0;
    if (number_at<std::uint32_t>(page, kPageHeader) != kMagic) return 0;
    if (number_at<std::uint32_t>(page, kPageHeader + 4) != kVersion) return 0;
    const auto size = number_at<std::uint32_t>(page, kPageSizeAt);
    return size >= 512 && size <= 65536 && std::has_single_bit(size) ? size : 0;
}

bool write_at(int fd, std::string_view bytes, off_t at) {
    return ::pwrite(fd, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

Result<MetaPages> Env::read_meta_pages() const {
    int fd = -1;
    if (const int rc = mdb_env_get_fd(state_->env, &fd)) return lmdb_error(rc, "read meta pages");
    MetaPages pages;
    pages.bytes.resize(2 * kUsed);
    for (std::size_t page = 0; page < 2; ++page) {
        char* const to = pages.bytes.data() + page * kUsed;
        const auto at = static_cast<off_t>(page * page_size());
        if (::pread(fd, to, kUsed, at) != static_cast<ssize_t>(kUsed))
            return transient_error("lmdb: cannot read meta pages");
        if (meta_page_size(std::string_view(to, kUsed)) != page_size())
            return permanent_error("lmdb: meta pages not understood");
    }
    return pages;
}

Result<void> check_file(const std::filesystem::path& directory) {
    return check_data_file(directory / "data.mdb");
}

Result<void> check_data_file(const std::filesystem::path& path) {
    const std::string file = path.string();
    const auto damaged = [&](const char* why) {
        return permanent_error(file + " is damaged: " + why, Fault::damaged);
    };
    const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return errno == ENOENT ? damaged("it is not there") : transient_error("cannot open " + file);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return transient_error("cannot read " + file);
    std::string page(kUsed, '\0');
    if (::pread(fd.get(), page.data(), kUsed, 0) != static_cast<ssize_t>(kUsed)) return damaged("cut short");
    const std::size_t page_size = meta_page_size(page);
    if (page_size == 0) return damaged("its first page is none of LMDB's");
    std::uint64_t last = number_at<std::uint64_t>(page, kLastPageAt);
    if (::pread(fd.get(), page.data(), kUsed, static_cast<off_t>(page_size)) != static_cast<ssize_t>(kUsed))
        return damaged("cut short");
    if (meta_page_size(page) != page_size) return damaged("its second page is none of LMDB's");
    last = std::max(last, number_at<std::uint64_t>(page, kLastPageAt));
    if (static_cast<std::uint64_t>(info.st_size) / page_size <= last) return damaged("cut short");
    return {};
}

Result<void> restore_meta_pages(const std::filesystem::path& directory, const MetaPages& pages) {
    const std::string_view bytes = pages.bytes;
    if (bytes.size() != 2 * kUsed) return permanent_error("lmdb: not two meta pages");
    const std::size_t page_size = meta_page_size(bytes.substr(0, kUsed));
    if (page_size == 0 || meta_page_size(bytes.substr(kUsed)) != page_size)
        return permanent_error("lmdb: not two meta pages");

    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    const FileDescriptor fd(::open((directory / "data.mdb").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) return transient_error("lmdb: cannot open " + (directory / "data.mdb").string());
    struct stat info {};
    const auto least = static_cast<off_t>(2 * page_size);
    if (::fstat(fd.get(), &info) != 0 || (info.st_size < least && ::ftruncate(fd.get(), least) != 0) ||
        !write_at(fd.get(), bytes.substr(0, kUsed), 0) ||
        !write_at(fd.get(), bytes.substr(kUsed), static_cast<off_t>(page_size))) {
        return transient_error("lmdb: cannot restore meta pages of " + directory.string());
    }
    return {};
}

}  // namespace mailstead::kv
