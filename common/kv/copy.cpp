#include "common/kv/copy.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

#include "common/kv/env_state.h"

namespace mailstead::kv {
namespace {

// struct MDB_page's header and struct MDB_meta of version 1 of the data format, on 64-bit machines: see
// meta_pages.cpp.
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kFlagsAt = 10;
constexpr std::uint16_t kMetaFlag = 0x08;
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPageSizeAt = kPageHeader + 24;
constexpr std::size_t kLastPageAt = kPageHeader + 120;
constexpr std::size_t kTransactionAt = kPageHeader + 128;
constexpr std::size_t kUsed = kPageHeader + 136;
constexpr std::size_t kChunk = std::size_t{1} << 20;

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
    Number n{};
    std::memcpy(&n, bytes.data() + at, sizeof n);
    return n;
}

std::size_t page_size_in(std::string_view page) {
    if (page.size() != kUsed || (number_at<std::uint16_t>(page, kFlagsAt) & kMetaFlag) == 0) return 0;
    if (number_at<std::uint32_t>(page, kPageHeader) != kMagic) return 0;
    if (number_at<std::uint32_t>(page, kPageHeader + 4) != kVersion) return 0;
    const auto size = number_at<std::uint32_t>(page, kPageSizeAt);
    return size >= 512 && size <= 65536 && std::has_single_bit(size) ? size : 0;
}

// The meta page that an open takes.
std::string_view newest(const MetaPages& pages) {
    const std::string_view first = std::string_view(pages.bytes).substr(0, kUsed);
    const std::string_view second = std::string_view(pages.bytes).substr(kUsed);
    return number_at<std::uint64_t>(first, kTransactionAt) >= number_at<std::uint64_t>(second, kTransactionAt)
               ? first
               : second;
}

Result<void> write_all(int to, std::string_view bytes, std::uint64_t at) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(to, bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return transient_error(std::string("write: ") + std::strerror(errno));
        bytes.remove_prefix(static_cast<std::size_t>(written));
        at += static_cast<std::uint64_t>(written);
    }
    return {};
}

}  // namespace

Result<void> copy_compact(const Env& env, int to) {
    if (const int rc = mdb_env_copyfd2(env.state_->env, to, MDB_CP_COMPACT)) return lmdb_error(rc, "copy");
    return {};
}

Result<MetaPages> read_meta_pages_of(int data_file) {
    MetaPages pages;
    pages.bytes.resize(2 * kUsed);
    char* const bytes = pages.bytes.data();
    const auto size = static_cast<ssize_t>(kUsed);
    if (::pread(data_file, bytes, kUsed, 0) != size) return permanent_error("the data file is too short");
    const std::size_t page = page_size_in(std::string_view(bytes, kUsed));
    if (page == 0 || ::pread(data_file, bytes + kUsed, kUsed, static_cast<off_t>(page)) != size ||
        page_size_in(std::string_view(bytes + kUsed, kUsed)) != page) {
        return permanent_error("the data file's first pages are damaged");
    }
    return pages;
}

std::string snapshot_name(const MetaPages& pages) {
    return std::string(newest(pages).substr(kPageHeader));
}

Result<std::uint64_t> copy_snapshot(int from, const MetaPages& pages, int to) {
    if (pages.bytes.size() != 2 * kUsed) return permanent_error("these are not two meta pages");
    const std::string_view meta = newest(pages);
    const std::size_t page = page_size_in(meta);
    if (page == 0) return permanent_error("these are not two meta pages");
    const std::uint64_t end = (number_at<std::uint64_t>(meta, kLastPageAt) + 1) * page;
    std::string chunk(kChunk, '\0');
    for (std::uint64_t at = 0; at < end;) {
        const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, end - at));
        const ssize_t got = ::pread(from, chunk.data(), wanted, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return transient_error(std::string("read: ") + std::strerror(errno));
        // LMDB's last pages may be free, and then not written yet.
        if (got == 0) break;
        TRY_VOID(write_all(to, std::string_view(chunk).substr(0, static_cast<std::size_t>(got)), at));
        at += static_cast<std::uint64_t>(got);
    }
    TRY_VOID(write_all(to, std::string_view(pages.bytes).substr(0, kUsed), 0));
    TRY_VOID(write_all(to, std::string_view(pages.bytes).substr(kUsed), page));
    if (::ftruncate(to, static_cast<off_t>(end)) != 0)
        return transient_error(std::string("write: ") + std::strerror(errno));
    return end;
}

}  // namespace mailstead::kv
