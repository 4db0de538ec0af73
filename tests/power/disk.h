// A disk that can lose its power: it knows what was synced below one folder, and makes the tree that a cut at
// this moment may leave behind. interpose.cpp tells it of every sync of the process, LMDB's own among them;
// the machine's disk is not waited for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

namespace mailstead::power {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path);
void write_file(const fs::path& path, std::string_view bytes);

class Disk {
public:
    using Random = std::mt19937_64;

    // What lies below `root` now is on the disk. Until it is destroyed this is the process's one disk.
    explicit Disk(fs::path root);
    ~Disk();
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    // nullptr: syncs go to the machine.
    static Disk* current();
    bool covers(int fd) const;
    // While it is held no look at the tree is under way: for calls that change names, since a file that is
    // renamed during a look would be missed.
    static std::unique_lock<std::mutex> lock_names();

    // With lock_names() held: `from` is `to` now. Both absolute.
    static void note_rename(const fs::path& from, const fs::path& to);

    void sync_file(int fd);         // its bytes and its name; of a folder: the names in it
    void sync_file_system(int fd);  // everything of the file system on which it lies
    void write_durably(int fd, std::string_view bytes, std::uint64_t offset);

    // The tree as a cut now may leave it, into an empty folder: what was synced, and of everything else
    // nothing, all, or a random half: pages of 4 KiB, torn sectors, names, lengths. A rename is never half
    // done.
    void cut(const fs::path& into, Random& random) const;
    // The tree as the page cache has it, which outlives a process.
    void snapshot(const fs::path& into) const;

private:
    using Node = std::pair<dev_t, ino_t>;
    using Bytes = std::shared_ptr<std::string>;
    struct Tree {
        std::map<std::string, Node> files;  // by path below the root
        std::map<std::string, dev_t> folders;
    };
    Tree walk() const;
    void write(const fs::path& into, const std::map<std::string, Node>& names,
               const std::function<std::string(const Node&)>& image) const;
    std::string name_of(int fd) const;

    fs::path root_;
    mutable std::mutex mutex_;
    Tree durable_;
    // A live name and the durable one that it had before. One file may have names in several accounts, of
    // which each is renamed by itself.
    std::map<std::string, std::string> renamed_;
    std::map<Node, Bytes> bytes_;
};

}  // namespace mailstead::power
