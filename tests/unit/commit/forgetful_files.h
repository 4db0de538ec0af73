// A file layer over real files that knows what would survive a power cut: it keeps a second tree with what
// was synced, and can make a third one that mixes synced and unsynced pages, names and lengths at random. It
// can also refuse any call.
#pragma once

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <sys/stat.h>

#include "common/commit/file_layer.h"

namespace mailstead::commit::testing {

namespace fs = std::filesystem;

inline std::string read_file(const fs::path& path) {
    std::error_code failure;
    const auto size = fs::file_size(path, failure);
    std::string bytes(failure ? 0 : size, '\0');
    std::ifstream in(path, std::ios::binary);
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(in.gcount()));
    return bytes;
}

inline void write_file(const fs::path& path, const std::string& bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class ForgetfulFiles : public FileLayer {
public:
    ForgetfulFiles(fs::path live, fs::path durable, std::string boot)
        : live_(std::move(live)), durable_(std::move(durable)), boot_(std::move(boot)) {
        fs::create_directories(live_);
        copy_all();
    }

    // Called before each call that changes or syncs something, with the number of the call; errno makes it
    // fail.
    std::function<int(std::uint64_t call, const char* what)> before_call;
    std::atomic<std::uint64_t> calls = 0;

    int open(const fs::path& path, int flags, mode_t mode, FileDescriptor& opened) override {
        if ((flags & (O_CREAT | O_TMPFILE)) != 0 && (flags & O_DIRECTORY) == 0) {
            if (const int rc = step("open")) return rc;
        }
        return FileLayer::open(path, flags & ~O_DIRECT, mode, opened);
    }
    int write_durably(int fd, std::string_view bytes, std::uint64_t offset) override {
        if (const int rc = step("write_durably")) return rc;
        const int rc =
            FileLayer::write(fd, bytes, offset);  // the machine's disk need not really be synced for this
        if (rc == 0) keep_range(fd, path_of(fd), bytes, offset);
        return rc;
    }
    int write(int fd, std::string_view bytes, std::uint64_t offset) override {
        if (const int rc = step("write")) return rc;
        return FileLayer::write(fd, bytes, offset);
    }
    int flush_data(int fd) override { return flush(fd); }
    int flush(int fd) override {
        if (const int rc = step("flush")) return rc;
        keep_file(path_of(fd));
        keep_bytes(fd);
        return 0;
    }
    int sync_file_system(int fd) override {
        if (const int rc = step("sync_file_system")) return rc;
        (void)fd;
        copy_all();
        return 0;
    }
    int allocate(int fd, std::uint64_t size) override {
        if (const int rc = step("allocate")) return rc;
        return pretend_space(fd, [&] { return FileLayer::allocate(fd, size); });
    }
    int truncate(int fd, std::uint64_t size) override {
        if (const int rc = step("truncate")) return rc;
        return pretend_space(fd, [&] { return FileLayer::truncate(fd, size); });
    }
    int link_descriptor(int fd, const fs::path& to) override {
        if (const int rc = step("link")) return rc;
        return FileLayer::link_descriptor(fd, to);
    }
    int rename(const fs::path& from, const fs::path& to) override {
        if (const int rc = step("rename")) return rc;
        const int rc = FileLayer::rename(from, to);
        if (rc == 0) {
            const std::lock_guard lock(mutex_);
            was_called_[to.filename()] = from.filename();
        }
        return rc;
    }
    int remove(const fs::path& path) override {
        if (const int rc = step("remove")) return rc;
        return FileLayer::remove(path);
    }
    int make_directory(const fs::path& path) override {
        if (const int rc = step("make_directory")) return rc;
        return FileLayer::make_directory(path);
    }
    int free_space(int fd, std::uint64_t& bytes) override {
        if (space != 0) {
            bytes = space;
            return 0;
        }
        return FileLayer::free_space(fd, bytes);
    }
    std::string boot_id() override { return boot_; }

    std::atomic<std::uint64_t> space = 0;  // pretended free bytes; 0: the truth

    // LMDB's own syncs do not pass through here.
    void environment_was_synced(const fs::path& directory) { keep_file(directory / "data.mdb"); }

    // The tree as a power cut now may leave it, into an empty folder.
    void cut_power(const fs::path& into, std::mt19937& random) {
        const std::lock_guard lock(mutex_);
        fs::create_directories(into);
        std::map<ino_t, std::string> images;
        std::set<fs::path> unnamed;  // file names (without folder) whose new place did not reach the disk
        for (const auto& entry : fs::recursive_directory_iterator(live_)) {
            const auto name = fs::relative(entry.path(), live_);
            if (entry.is_directory()) {
                if (fs::exists(durable_ / name) || random() % 2 == 0) fs::create_directories(into / name);
                continue;
            }
            const bool existed = fs::exists(durable_ / name);
            if (!existed && random() % 2 == 0) {  // the name did not reach the disk
                fs::path old = name.filename();
                for (int chain = 0; chain < 8 && unnamed.insert(old).second && was_called_.contains(old);
                     ++chain)
                    old = was_called_[old];
                continue;
            }
            // What is on disk belongs to the file, however many names it has and got since.
            const auto inode = inode_of(entry.path());
            if (!images.contains(inode))
                images[inode] = mixed(synced_[inode], read_file(entry.path()), random);
            write_file(into / name, images[inode]);
        }
        for (const auto& entry : fs::recursive_directory_iterator(durable_)) {
            const auto name = fs::relative(entry.path(), durable_);
            if (entry.is_directory()) {
                fs::create_directories(into / name);
            } else if (!fs::exists(live_ / name) &&
                       (unnamed.contains(name.filename()) || random() % 2 == 0)) {
                // The removal did not reach the disk; of a rename, which is one step, either the old or the
                // new name is there.
                write_file(into / name, read_file(entry.path()));
            }
        }
    }

private:
    // What a file gains the pretended free space loses.
    template <class Change>
    int pretend_space(int fd, Change change) {
        std::uint64_t before = 0;
        std::uint64_t after = 0;
        FileLayer::size_of(fd, before);
        const int rc = change();
        FileLayer::size_of(fd, after);
        if (space != 0) space = space + before - after;
        return rc;
    }

    int step(const char* what) {
        const std::uint64_t call = ++calls;
        return before_call ? before_call(call, what) : 0;
    }

    static std::string mixed(const std::string& before, const std::string& now, std::mt19937& random) {
        constexpr std::size_t kPage = 4096;
        if (before == now) return now;
        std::string image = before;
        if (now.size() > before.size()) image.resize(random() % 3 == 0 ? before.size() : now.size(), '\0');
        for (std::size_t at = 0; at < std::min(image.size(), now.size()); at += kPage) {
            if (random() % 2 == 0) image.replace(at, kPage, now, at, std::min(kPage, image.size() - at));
        }
        return image;
    }

    fs::path path_of(int fd) const {
        std::error_code ignored;
        return fs::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored);
    }
    // Only what lies in the tree and has a name.
    bool is_ours(const fs::path& path) const {
        return path.string().starts_with(live_.string() + "/") && fs::is_regular_file(path);
    }
    static ino_t inode_of(const fs::path& path) {
        struct stat info {};
        return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
    }
    void keep_bytes(int fd) {
        struct stat info {};
        std::string bytes;
        if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return;
        FileLayer::read(fd, 0, static_cast<std::size_t>(info.st_size), bytes);
        const std::lock_guard lock(mutex_);
        synced_[info.st_ino] = std::move(bytes);
    }
    void keep_file(const fs::path& path) {
        const std::lock_guard lock(mutex_);
        if (is_ours(path)) {
            synced_[inode_of(path)] = read_file(path);
            return write_file(durable_ / fs::relative(path, live_), "");
        }
        if (fs::is_directory(path)) {
            for (const auto& entry : fs::directory_iterator(path)) {
                if (entry.is_regular_file() && !entry.path().filename().string().ends_with(".mdb")) {
                    write_file(durable_ / fs::relative(entry.path(), live_),
                               read_file(entry.path()));  // the name
                }
            }
        }
    }
    void keep_range(int fd, const fs::path& path, std::string_view bytes, std::uint64_t offset) {
        if (!is_ours(path)) return;
        struct stat info {};
        ::fstat(fd, &info);
        const std::lock_guard lock(mutex_);
        std::string& synced = synced_[info.st_ino];
        if (synced.size() < offset + bytes.size()) synced.resize(offset + bytes.size(), '\0');
        synced.replace(offset, bytes.size(), bytes);
    }
    void copy_all() {
        const std::lock_guard lock(mutex_);
        const fs::path fresh = durable_.string() + ".fresh";
        fs::remove_all(fresh);
        fs::create_directories(fresh);
        std::error_code ignored;
        fs::copy(live_, fresh, fs::copy_options::recursive, ignored);
        for (const auto& entry : fs::recursive_directory_iterator(live_, ignored)) {
            if (entry.is_regular_file(ignored)) synced_[inode_of(entry.path())] = read_file(entry.path());
        }
        fs::remove_all(durable_);
        fs::rename(fresh, durable_);
    }

    fs::path live_;
    fs::path durable_;
    std::string boot_;
    std::map<fs::path, fs::path>
        was_called_;  // file names after renames: either the new or an old one is on disk
    std::map<ino_t, std::string> synced_;  // each file's bytes on disk; the tree `durable_` holds the names
    std::mutex mutex_;
};

}  // namespace mailstead::commit::testing
