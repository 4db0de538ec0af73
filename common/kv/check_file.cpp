// Whether LMDB may map a data file without falling over it: LMDB itself looks at the first meta page alone,
// and a file that lacks pages ends the process at the first touch (SIGBUS).
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "common/base/file_descriptor.h"
#include "common/kv/data_file.h"
#include "common/kv/env.h"
#include "common/kv/env_state.h"

namespace mailstead::kv {
namespace {

constexpr int kAttempts = 5;  // a writer may be at it between two looks
constexpr unsigned kDeepest = 64;
constexpr std::size_t kBlankHead = std::size_t{2} * 4096;  // where LMDB's meta pages are

class DataFile {
public:
    DataFile(int fd, std::uint64_t size) : fd_(fd), size_(size) {}

    Result<void> check() {
        TRY_VOID(choose_meta());
        if (meta_.main_root != kNoPage) TRY_VOID(check_root(meta_.main_root, "main"));
        if (meta_.free_root != kNoPage) TRY_VOID(check_root(meta_.free_root, "free list"));
        // A transaction may leave its last pages unwritten when it has no use for them in the end, so that a
        // short file is damaged only if it lacks a page that something names.
        if (size_ >= (meta_.last_page + 1) * meta_.page_size) return {};
        if (meta_.free_root != kNoPage) TRY_VOID(walk(meta_.free_root, 0));
        if (meta_.main_root != kNoPage) TRY_VOID(walk(meta_.main_root, 0));
        return {};
    }

private:
    static Error damage(std::string what) { return transient_error(std::move(what), Fault::damaged); }

    Result<void> read(std::uint64_t at, std::size_t bytes, std::string& into) const {
        into.resize(bytes);
        const ssize_t got = ::pread(fd_, into.data(), bytes, static_cast<off_t>(at));
        if (got < 0) return damage("cannot be read at " + std::to_string(at));
        if (static_cast<std::size_t>(got) != bytes)
            return damage("ends before byte " + std::to_string(at + bytes));
        return {};
    }

    Result<void> choose_meta() {
        std::string bytes;
        TRY_VOID(read(0, kMetaUsed, bytes));
        const auto first = parse_meta(bytes);
        if (!first) return damage("has no meta page at its beginning");
        TRY_VOID(read(first->page_size, kMetaUsed, bytes));
        const auto second = parse_meta(bytes);
        if (!second || second->page_size != first->page_size) return damage("has no second meta page");
        meta_ = second->transaction > first->transaction ? *second : *first;
        return {};
    }

    Result<void> check_root(std::uint64_t number, const char* of) const {
        std::string header;
        if (number < 2 || number > meta_.last_page)
            return damage(std::string("names an impossible root of ") + of);
        TRY_VOID(read(number * meta_.page_size, kPageHeader, header));
        if (number_at<std::uint64_t>(header, 0) != number ||
            (number_at<std::uint16_t>(header, 10) & (kBranch | kLeaf)) == 0)
            return damage(std::string("has no page where the root of ") + of + " should be");
        return {};
    }

    Result<void> walk(std::uint64_t number, unsigned depth) {
        if (depth > kDeepest || number < 2 || number > meta_.last_page || ++seen_ > meta_.last_page)
            return damage("names pages that it cannot have");
        std::string page;
        TRY_VOID(read(number * meta_.page_size, meta_.page_size, page));
        const auto flags = number_at<std::uint16_t>(page, 10);
        const std::size_t lower = number_at<std::uint16_t>(page, 12);
        if (number_at<std::uint64_t>(page, 0) != number || (flags & (kBranch | kLeaf)) == 0 ||
            lower < kPageHeader || lower > page.size())
            return damage("has something else in page " + std::to_string(number));
        for (std::size_t at = kPageHeader; at + 2 <= lower; at += 2) {
            const std::size_t node = number_at<std::uint16_t>(page, at);
            if (node + kNode > page.size()) return damage("has a spoilt page " + std::to_string(number));
            TRY_VOID((flags & kBranch) != 0 ? walk(child_of(page, node), depth + 1)
                                            : walk_leaf(page, node, depth));
        }
        return {};
    }

    static std::uint64_t child_of(std::string_view page, std::size_t node) {
        return number_at<std::uint32_t>(page, node) |
               (static_cast<std::uint64_t>(number_at<std::uint16_t>(page, node + 4)) << 32);
    }

    Result<void> walk_leaf(std::string_view page, std::size_t node, unsigned depth) {
        const std::size_t size = number_at<std::uint32_t>(page, node);
        const auto flags = number_at<std::uint16_t>(page, node + 4);
        const std::size_t data = node + kNode + number_at<std::uint16_t>(page, node + 6);
        if ((flags & kBigData) != 0 && data + 8 <= page.size()) {
            const auto first = number_at<std::uint64_t>(page, data);
            const std::uint64_t pages = (kPageHeader - 1 + size) / meta_.page_size + 1;
            if (first + pages > meta_.last_page + 1 || (first + pages) * meta_.page_size > size_)
                return damage("lacks the pages of a large value");
        }
        if ((flags & kSubDatabase) != 0 && data + 48 <= page.size()) {
            const auto root = number_at<std::uint64_t>(page, data + 40);
            if (root != kNoPage) return walk(root, depth + 1);
        }
        return {};
    }

    static constexpr std::uint16_t kBranch = 0x01;
    static constexpr std::uint16_t kLeaf = 0x02;
    static constexpr std::uint16_t kBigData = 0x01;
    static constexpr std::uint16_t kSubDatabase = 0x02;
    static constexpr std::size_t kNode = 8;

    int fd_;
    std::uint64_t size_;
    Meta meta_;
    std::uint64_t seen_ = 0;
};

}  // namespace

bool is_blank(int data_file) {
    std::string head(kBlankHead, '\0');
    const ssize_t got = ::pread(data_file, head.data(), head.size(), 0);
    return got >= 0 &&
           std::string_view(head).substr(0, static_cast<std::size_t>(got)).find_first_not_of('\0') ==
               std::string_view::npos;
}

Result<void> check_file(const std::filesystem::path& directory, bool must_exist) {
    return check_data_file(directory / "data.mdb", must_exist);
}

Result<void> check_data_file(const std::filesystem::path& path, bool must_exist) {
    Error why;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        if (!fd && errno == ENOENT && !must_exist) return {};
        if (!fd && errno == ENOENT) return transient_error(path.string() + " is missing", Fault::damaged);
        if (!fd) {
            const int code = errno;
            return transient_error("cannot open " + path.string() + ": " + errno_text(code), fault_of(code));
        }
        struct stat info {};
        if (::fstat(fd.get(), &info) != 0) return transient_error("cannot look at " + path.string());
        if (info.st_size == 0 && !must_exist) return {};
        const auto checked = DataFile(fd.get(), static_cast<std::uint64_t>(info.st_size)).check();
        if (checked) return {};
        why = checked.error();
    }
    why.what = path.string() + " is damaged: it " + why.what;
    return why;
}

}  // namespace mailstead::kv
