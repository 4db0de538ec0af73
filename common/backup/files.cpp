#include "common/backup/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <memory>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sodium.h>

namespace mailstead::backup {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kHash = 32;
static_assert(sizeof(crypto_generichash_state) <= 384);

}  // namespace

Error file_error(const char* doing, const std::filesystem::path& path) {
    return transient_error(std::string("cannot ") + doing + ' ' + path.string() + ": " +
                           std::strerror(errno));
}

Result<FileDescriptor> open_below(int folder, const std::filesystem::path& name, int flags) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    FileDescriptor opened(static_cast<int>(::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how)));
    if (!opened) return file_error("open", name);
    return opened;
}

Result<void> list(int folder, const std::function<bool(const std::string& name)>& visit) {
    struct Close {
        void operator()(DIR* dir) const { ::closedir(dir); }
    };
    // A descriptor of its own: the position belongs to it.
    TRY(again, open_below(folder, ".", O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, Close> dir(::fdopendir(again.get()));
    if (!dir) return file_error("read", ".");
    again.release();
    while (true) {
        errno = 0;
        const dirent* entry = ::readdir(dir.get());
        if (entry == nullptr) break;
        const std::string name = entry->d_name;
        if (name != "." && name != ".." && !visit(name)) return {};
    }
    if (errno != 0) return file_error("read", ".");
    return {};
}

Checksum::Checksum() {
    crypto_generichash_init(reinterpret_cast<crypto_generichash_state*>(state_), nullptr, 0, kHash);
}

void Checksum::add(std::string_view bytes) {
    crypto_generichash_update(reinterpret_cast<crypto_generichash_state*>(state_),
                              reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

std::string Checksum::finish() {
    unsigned char hash[kHash];
    crypto_generichash_final(reinterpret_cast<crypto_generichash_state*>(state_), hash, kHash);
    char text[2 * kHash + 1];
    sodium_bin2hex(text, sizeof text, hash, kHash);
    return text;
}

Result<std::string> copy_bytes(int from, int to, std::uint64_t& size) {
    thread_local std::string buffer(kChunk, '\0');
    Checksum sum;
    size = 0;
    while (true) {
        const ssize_t got = ::pread(from, buffer.data(), buffer.size(), static_cast<off_t>(size));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return transient_error(std::string("read: ") + std::strerror(errno));
        if (got == 0) return sum.finish();
        std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
        sum.add(bytes);
        size += bytes.size();
        while (to >= 0 && !bytes.empty()) {
            const ssize_t written = ::write(to, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return transient_error(std::string("write: ") + std::strerror(errno));
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
    }
}

Result<void> make_folders(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return transient_error("cannot make " + folder.string() + ": " + error.message());
    return {};
}

std::int64_t modified_of(const struct stat& info) {
    // Before 1970 is no time of a mail.
    return std::max<std::int64_t>(0,
                                  std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec);
}

std::string user_name(uid_t user) {
    const passwd* found = ::getpwuid(user);
    return found != nullptr ? found->pw_name : std::to_string(user);
}

std::string group_name(gid_t group) {
    const ::group* found = ::getgrgid(group);
    return found != nullptr ? found->gr_name : std::to_string(group);
}

}  // namespace mailstead::backup
