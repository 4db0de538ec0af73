#include "deliver/intake/message_bytes.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mailstead::deliver {

namespace {

Error failure(const char* what) {
    if (errno == ENOSPC || errno == EDQUOT) return transient_error("the disk is full");
    return transient_error(std::string("the message's file cannot be ") + what + ": " + std::strerror(errno));
}

Result<FileDescriptor> unnamed_file(int folder) {
    FileDescriptor file(::openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640));
    if (!file) return failure("copied");
    return file;
}

Result<void> write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failure("copied");
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

// All of `from`, by the file system where it shares blocks, else within the kernel, else through a buffer.
Result<void> copy_file(int from, int to, std::uint64_t size) {
    if (::ioctl(to, FICLONE, from) == 0) return {};
    off_t at = 0;
    while (static_cast<std::uint64_t>(at) < size) {
        const ssize_t copied =
            ::copy_file_range(from, &at, to, nullptr, size - static_cast<std::uint64_t>(at), 0);
        if (copied > 0) continue;
        if (copied == 0) return {};  // it was cut; the size tells
        if (errno == EINTR) continue;
        if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
            return failure("copied");
        break;
    }
    std::array<char, 64 * 1024> buffer;
    while (static_cast<std::uint64_t>(at) < size) {
        const ssize_t got = ::pread(from, buffer.data(), buffer.size(), at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failure("read");
        if (got == 0) return {};
        TRY_VOID(write_all(to, {buffer.data(), static_cast<std::size_t>(got)}));
        at += got;
    }
    return {};
}

// Whether it is a mailbox's file, which deliver made and its descriptor cannot change: `accounts`/ID/mail/...
bool is_ours(int file, const struct stat& facts, const std::string& accounts) {
    if (facts.st_nlink == 0 || facts.st_uid != ::geteuid()) return false;
    if ((::fcntl(file, F_GETFL) & O_ACCMODE) != O_RDONLY) return false;
    std::array<char, 4096> name;
    const std::string link = "/proc/self/fd/" + std::to_string(file);
    const ssize_t length = ::readlink(link.c_str(), name.data(), name.size());
    if (length <= 0) return false;
    std::string_view path(name.data(), static_cast<std::size_t>(length));
    if (!path.starts_with(accounts)) return false;
    path.remove_prefix(accounts.size());
    const std::size_t account = path.find_first_not_of("0123456789", 1);
    return account != std::string_view::npos && path.substr(account).starts_with("/mail/");
}

}  // namespace

Result<MessageBytes::Places> MessageBytes::Places::open(const std::filesystem::path& data_dir,
                                                        std::uint64_t max_size) {
    Places places;
    const std::filesystem::path spool = data_dir / "spool";
    places.spool_ = FileDescriptor(::open(spool.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!places.spool_) return transient_error("cannot open " + spool.string() + ": " + std::strerror(errno));
    std::error_code error;
    places.accounts_ = std::filesystem::canonical(data_dir / "accounts", error).string();
    if (error) return transient_error("cannot find " + (data_dir / "accounts").string());
    places.max_size_ = max_size;
    return places;
}

Result<MessageBytes> MessageBytes::take(FileDescriptor file, std::uint64_t size, const Places& places) {
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode))
        return permanent_error("the message is not a file");
    if (static_cast<std::uint64_t>(facts.st_size) != size)
        return permanent_error("the message's file has another size than announced");
    const bool ours = is_ours(file.get(), facts, places.accounts_);
    if (!ours && size > places.max_size_) return permanent_error("the message is too large");
    MessageBytes bytes;
    bytes.file_ = std::move(file);
    bytes.size_ = static_cast<std::size_t>(size);
    if (size <= commit::kJournaledFileSize) {
        TRY_VOID(bytes.read_small());
        if (!ours) TRY_VOID(bytes.copy_small(places));
        return bytes;
    }
    if (!ours) TRY_VOID(bytes.copy_large(places));
    TRY_VOID(bytes.map());
    return bytes;
}

Result<void> MessageBytes::read_small() {
    std::string content(size_, '\0');
    std::size_t filled = 0;
    while (filled < content.size()) {
        const ssize_t count = ::pread(file_.get(), content.data() + filled, content.size() - filled,
                                      static_cast<off_t>(filled));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failure("read");
        if (count == 0) return transient_error("the message's file was cut while it was read");
        filled += static_cast<std::size_t>(count);
    }
    content_ = std::make_shared<const std::string>(std::move(content));
    return {};
}

Result<void> MessageBytes::copy_small(const Places& places) {
    TRY(own, unnamed_file(places.spool_.get()));
    TRY_VOID(write_all(own.get(), *content_));
    file_ = std::move(own);
    return {};
}

Result<void> MessageBytes::copy_large(const Places& places) {
    TRY(own, unnamed_file(places.spool_.get()));
    TRY_VOID(copy_file(file_.get(), own.get(), size_));
    struct stat facts {};
    if (::fstat(own.get(), &facts) != 0) return failure("read");
    // A peer that cuts or extends it meanwhile has a message of another size, and no message.
    if (static_cast<std::size_t>(facts.st_size) != size_)
        return transient_error("the message's file changed while it was copied");
    file_ = std::move(own);
    return {};
}

Result<void> MessageBytes::map() {
    void* const mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_.get(), 0);
    if (mapped == MAP_FAILED) return failure("mapped");
    mapped_ = static_cast<const char*>(mapped);
    return {};
}

MessageBytes::~MessageBytes() {
    if (mapped_) ::munmap(const_cast<char*>(mapped_), size_);
}

MessageBytes::MessageBytes(MessageBytes&& other) noexcept
    : file_(std::move(other.file_)),
      content_(std::move(other.content_)),
      mapped_(std::exchange(other.mapped_, nullptr)),
      size_(other.size_) {}

MessageBytes& MessageBytes::operator=(MessageBytes&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(content_, other.content_);
    std::swap(mapped_, other.mapped_);
    std::swap(size_, other.size_);
    return *this;
}

}  // namespace mailstead::deliver
