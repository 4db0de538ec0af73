#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mime/message.h"
#include "common/store/adopt.h"
#include "common/store/beneath.h"
#include "common/store/fetch_cache.h"
#include "common/store/maildir.h"

namespace mailstead::store {
namespace {

constexpr std::size_t kPiece = 256 * 1024;
constexpr std::size_t kMaxNameKept = 200;  // bytes, so that there is room for an ending

class Mapping {
public:
    Mapping(int fd, std::size_t size) : size_(size) {
        void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at != MAP_FAILED) at_ = at;
    }
    ~Mapping() {
        if (at_ != nullptr) ::munmap(at_, size_);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    explicit operator bool() const { return at_ != nullptr; }
    std::string_view bytes() const { return {static_cast<const char*>(at_), size_}; }

private:
    void* at_ = nullptr;
    std::size_t size_;
};

// Bare LF and bare CR become CRLF, whatever piece they stand in.
class LineEnds {
public:
    void convert(std::string_view piece, std::string& out) {
        out.clear();
        for (const char c : piece) {
            if (after_cr_ && c != '\n') out += '\n';
            if (c == '\n' && !after_cr_) out += '\r';
            out += c;
            after_cr_ = c == '\r';
        }
    }
    std::string_view rest() const { return after_cr_ ? "\n" : ""; }

private:
    bool after_cr_ = false;
};

// One file of another program, and the folders it lies in.
class Foreign {
public:
    Foreign(commit::FileLayer& files, int mail, const std::string& path)
        : files_(files),
          mail_(mail),
          path_(path),
          name_(path.substr(path.rfind('/') + 1)),
          directory_(path.substr(0, path.size() - name_.size() - 1)) {}

    Outcome<NewMessage> take() {
        file_ = open_beneath(mail_, path_, O_RDONLY | O_NONBLOCK);
        struct stat status {};
        if (!file_ || ::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode)) return nothing();
        size_ = static_cast<std::uint64_t>(status.st_size);
        if (size_ == 0 || size_ > kMaxForeignFile) return nothing();
        modified_ = status.st_mtim;
        if (size_ > kForeignFileInMemory) return take_large();
        std::string bytes;
        if (files_.read(file_.get(), 0, size_, bytes) != 0 || bytes.size() != size_) return nothing();
        const auto message = mime::Message::parse(bytes);
        if (message.has_bare_lf() || !share(status)) return take_large();
        // Whoever wrote it may not have made it durable; from now on it counts as kept.
        if (files_.flush(file_.get()) != 0) return nothing();
        return taken(message);
    }

private:
    // imapd reads mail as a member of the group that deliver runs in. A file of somebody else who lets nobody
    // read it cannot be given to it.
    bool share(const struct stat& status) const {
        if ((status.st_mode & S_IROTH) != 0) return true;
        if (status.st_gid == ::getegid() && (status.st_mode & S_IRGRP) != 0) return true;
        if (status.st_uid != ::geteuid()) return false;
        return ::fchown(file_.get(), static_cast<uid_t>(-1), ::getegid()) == 0 &&
               ::fchmod(file_.get(), 0640) == 0;
    }

    Failure nothing() const { return Failure(Fault::non_existent, path_); }

    Outcome<NewMessage> take_large() {
        if (const int code = copy(); code != 0) {
            return Failure(Fault::unavailable, "convert " + path_ + ": " + commit::errno_text(code));
        }
        const Mapping mapping(file_.get(), size_);
        if (!mapping) return Failure(Fault::unavailable, "map " + path_);
        return taken(mime::Message::parse(mapping.bytes()));
    }

    // A file of our own takes the place of the foreign one.
    int copy() {
        const std::size_t slash = directory_.rfind('/');
        const std::string tmp = (slash == std::string::npos ? "" : directory_.substr(0, slash + 1)) + "tmp";
        FileDescriptor there = open_beneath(mail_, directory_, O_RDONLY | O_DIRECTORY);
        if (!there) return errno;
        FileDescriptor folder = open_beneath(mail_, tmp, O_RDONLY | O_DIRECTORY);
        if (!folder && errno == ENOENT) {
            FileDescriptor above;
            if (slash != std::string::npos)
                above = open_beneath(mail_, directory_.substr(0, slash), O_RDONLY | O_DIRECTORY);
            if (::mkdirat(slash == std::string::npos ? mail_ : above.get(), "tmp", 0750) != 0) return errno;
            folder = open_beneath(mail_, tmp, O_RDONLY | O_DIRECTORY);
        }
        if (!folder) return errno;
        const std::string name = name_.substr(0, kMaxNameKept) + ".crlf";
        constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        FileDescriptor fresh(::openat(folder.get(), name.c_str(), kFlags, 0640));
        if (!fresh && errno == EEXIST) {  // of an attempt that was cut short, or a trap
            ::unlinkat(folder.get(), name.c_str(), 0);
            fresh = FileDescriptor(::openat(folder.get(), name.c_str(), kFlags, 0640));
        }
        if (!fresh) return errno;
        int code = write_converted(fresh.get());
        const timespec times[2] = {modified_, modified_};
        if (code == 0) ::futimens(fresh.get(), times);
        if (code == 0) code = files_.flush(fresh.get());
        if (code == 0 && ::renameat(folder.get(), name.c_str(), there.get(), name_.c_str()) != 0)
            code = errno;
        if (code != 0) {
            ::unlinkat(folder.get(), name.c_str(), 0);
            return code;
        }
        file_ = std::move(fresh);
        return 0;
    }

    int write_converted(int to) {
        LineEnds ends;
        std::string piece;
        std::string converted;
        std::uint64_t written = 0;
        const auto write = [&](std::string_view bytes) {
            const int code = files_.write(to, bytes, written);
            written += bytes.size();
            return code;
        };
        for (std::uint64_t at = 0; at < size_; at += piece.size()) {
            if (const int code = files_.read(file_.get(), at, kPiece, piece); code != 0) return code;
            if (piece.empty()) return EIO;  // it was cut meanwhile
            ends.convert(piece, converted);
            if (const int code = write(converted); code != 0) return code;
        }
        const int code = write(ends.rest());
        size_ = written;
        return code;
    }

    NewMessage taken(const mime::Message& message) const {
        NewMessage taken;
        taken.flags.system = maildir::flags_of(name_);
        taken.internal_date = Time(Seconds(modified_.tv_sec));
        taken.size = size_;
        taken.cache = build_fetch_cache(message);
        return taken;
    }

    commit::FileLayer& files_;
    int mail_;
    std::string path_;
    std::string name_;
    std::string directory_;
    FileDescriptor file_;
    std::uint64_t size_ = 0;
    timespec modified_{};
};

}  // namespace

Outcome<NewMessage> take_foreign_file(commit::FileLayer& files, int mail, const std::string& path) {
    return Foreign(files, mail, path).take();
}

}  // namespace mailstead::store
