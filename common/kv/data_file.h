// Private to this folder: the bytes of an LMDB 0.9 data file, as version 1 of its format lays them out on
// 64-bit machines. What is said here holds for files that some other process may be writing.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace mailstead::kv {

static_assert(sizeof(void*) == 8, "the journal keeps LMDB's 64-bit meta pages");

inline constexpr std::size_t kPageHeader = 16;               // struct MDB_page
inline constexpr std::size_t kMetaUsed = kPageHeader + 136;  // and struct MDB_meta

// A meta page's content, as far as it is looked at.
struct Meta {
    std::size_t page_size = 0;
    std::uint64_t free_root = 0;
    std::uint64_t main_root = 0;
    std::uint64_t last_page = 0;
    std::uint64_t transaction = 0;
};

inline constexpr std::uint64_t kNoPage = ~std::uint64_t{0};

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
    Number n{};
    std::memcpy(&n, bytes.data() + at, sizeof n);
    return n;
}

// nullopt: not a meta page that LMDB 0.9 takes.
inline std::optional<Meta> parse_meta(std::string_view page) {
    constexpr std::uint16_t kMetaFlag = 0x08;
    constexpr std::uint32_t kMagic = 0xBEEFC0DE;
    constexpr std::uint32_t kVersion = 1;
    constexpr std::size_t kDatabases = kPageHeader + 24;  // two records of 48 bytes: free list, main
    constexpr std::size_t kRoot = 40;
    if (page.size() != kMetaUsed || (number_at<std::uint16_t>(page, 10) & kMetaFlag) == 0 ||
        number_at<std::uint32_t>(page, kPageHeader) != kMagic ||
        number_at<std::uint32_t>(page, kPageHeader + 4) != kVersion)
        return std::nullopt;
    Meta meta;
    meta.page_size = number_at<std::uint32_t>(page, kDatabases);
    if (meta.page_size < 512 || meta.page_size > 65536 || !std::has_single_bit(meta.page_size))
        return std::nullopt;
    meta.free_root = number_at<std::uint64_t>(page, kDatabases + kRoot);
    meta.main_root = number_at<std::uint64_t>(page, kDatabases + 48 + kRoot);
    meta.last_page = number_at<std::uint64_t>(page, kDatabases + 96);
    meta.transaction = number_at<std::uint64_t>(page, kDatabases + 104);
    return meta;
}

}  // namespace mailstead::kv
