#include "tests/power/disk.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace mailstead::power {
namespace {

std::atomic<Disk*> current_disk = nullptr;

std::string read_all(int fd) {
    std::string bytes;
    char piece[65536];
    for (off_t at = 0;;) {
        const ssize_t got = ::pread(fd, piece, sizeof piece, at);
        if (got <= 0) return bytes;
        bytes.append(piece, static_cast<std::size_t>(got));
        at += got;
    }
}

enum class Keeps { nothing, everything, some };

// Of a file whose synced bytes are `before` and whose bytes in memory are `now`.
std::string mixed(const std::string& before, const std::string& now, Keeps keeps, Disk::Random& random) {
    constexpr std::size_t kPage = 4096, kSector = 512;
    if (keeps == Keeps::everything || before == now) return now;
    if (keeps == Keeps::nothing) return before;
    std::string image = before;
    if (random() % 3 != 0) image.resize(now.size(), '\0');
    for (std::size_t at = 0; at < std::min(image.size(), now.size()); at += kPage) {
        const std::size_t whole = std::min(kPage, std::min(image.size(), now.size()) - at);
        const auto dice = random() % 32;
        if (dice < 15) {
            image.replace(at, whole, now, at, whole);
        } else if (dice == 15) {
            const std::size_t torn = std::min(whole, kSector * (1 + random() % 7));
            image.replace(at, torn, now, at, torn);
        }
    }
    return image;
}

}  // namespace

std::string read_file(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    std::string bytes = read_all(fd);
    ::close(fd);
    return bytes;
}

// Zeros, of which a journal is full, are left as holes.
void write_file(const fs::path& path, std::string_view bytes) {
    constexpr std::size_t kPage = 4096;
    static constexpr char zeros[kPage] = {};
    fs::create_directories(path.parent_path());
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool whole = fd >= 0 && ::ftruncate(fd, static_cast<off_t>(bytes.size())) == 0;
    for (std::size_t at = 0; whole && at < bytes.size(); at += kPage) {
        const std::size_t size = std::min(kPage, bytes.size() - at);
        if (std::memcmp(bytes.data() + at, zeros, size) == 0) continue;
        whole = ::pwrite(fd, bytes.data() + at, size, static_cast<off_t>(at)) == static_cast<ssize_t>(size);
    }
    if (fd >= 0) ::close(fd);
    if (!whole) throw std::runtime_error("cannot write " + path.string());
}

Disk::Disk(fs::path root) : root_(std::move(root)) {
    fs::create_directories(root_);
    root_ = fs::canonical(root_);
    durable_ = walk();
    for (const auto& [name, node] : durable_.files)
        bytes_[node] = std::make_shared<std::string>(read_file(root_ / name));
    current_disk = this;
}

Disk::~Disk() {
    current_disk = nullptr;
}

Disk* Disk::current() {
    return current_disk;
}

std::unique_lock<std::mutex> Disk::lock_names() {
    Disk* disk = current();
    return disk == nullptr ? std::unique_lock<std::mutex>() : std::unique_lock(disk->mutex_);
}

void Disk::note_rename(const fs::path& from, const fs::path& to) {
    Disk* const disk = current();
    if (disk == nullptr) return;
    const std::string before = from.lexically_relative(disk->root_);
    const auto earlier = disk->renamed_.extract(before);
    disk->renamed_[to.lexically_relative(disk->root_)] = earlier.empty() ? before : earlier.mapped();
}

// Empty for what lies elsewhere; an unnamed file below the root has a name that leads nowhere.
std::string Disk::name_of(int fd) const {
    std::error_code failure;
    const std::string path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), failure);
    if (failure || path == root_) return failure ? "" : ".";
    const std::string below = root_.string() + "/";
    return path.starts_with(below) ? path.substr(below.size()) : "";
}

bool Disk::covers(int fd) const {
    return !name_of(fd).empty();
}

Disk::Tree Disk::walk() const {
    Tree tree;
    std::vector<std::string> open{""};
    while (!open.empty()) {
        const std::string folder = std::move(open.back());
        open.pop_back();
        std::error_code gone;
        for (const auto& entry : fs::directory_iterator(root_ / folder, gone)) {
            const std::string name =
                folder.empty() ? entry.path().filename() : folder / entry.path().filename();
            struct stat info {};
            if (::lstat(entry.path().c_str(), &info) != 0) continue;
            if (S_ISDIR(info.st_mode)) {
                tree.folders[name] = info.st_dev;
                open.push_back(name);
            } else if (S_ISREG(info.st_mode)) {
                tree.files[name] = {info.st_dev, info.st_ino};
            }
        }
    }
    return tree;
}

void Disk::sync_file(int fd) {
    const std::string name = name_of(fd);
    struct stat info {};
    if (name.empty() || ::fstat(fd, &info) != 0) return;
    const std::lock_guard lock(mutex_);
    if (S_ISREG(info.st_mode)) {
        const Node node{info.st_dev, info.st_ino};
        // Not by the descriptor, which may be for writing alone.
        bytes_[node] = std::make_shared<std::string>(read_file("/proc/self/fd/" + std::to_string(fd)));
        struct stat named {};
        if (::stat((root_ / name).c_str(), &named) == 0 && named.st_ino == info.st_ino)
            durable_.files[name] = node;
        return;
    }
    const Tree now = walk();
    const auto is_in = [&](const std::string& path) {
        const fs::path parent = fs::path(path).parent_path();
        return parent == (name == "." ? fs::path() : fs::path(name));
    };
    // A rename is one step: where the old name is known to be gone, so is the new one to be there.
    std::set<Node> renamed;
    for (const auto& [path, node] : durable_.files) {
        if (is_in(path) && !now.files.contains(path)) renamed.insert(node);
    }
    for (const auto& [path, node] : now.files) {
        if (renamed.contains(node)) durable_.files[path] = node;
    }
    std::erase_if(durable_.files,
                  [&](const auto& each) { return is_in(each.first) && !now.files.contains(each.first); });
    std::copy_if(now.files.begin(), now.files.end(), std::inserter(durable_.files, durable_.files.end()),
                 [&](const auto& each) { return is_in(each.first); });
    std::erase_if(durable_.folders, [&](const auto& each) { return is_in(each.first); });
    std::copy_if(now.folders.begin(), now.folders.end(),
                 std::inserter(durable_.folders, durable_.folders.end()),
                 [&](const auto& each) { return is_in(each.first); });
}

void Disk::sync_file_system(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return;
    const std::lock_guard lock(mutex_);
    renamed_.clear();
    std::erase_if(durable_.files, [&](const auto& each) { return each.second.first == info.st_dev; });
    std::erase_if(durable_.folders, [&](const auto& each) { return each.second == info.st_dev; });
    for (auto& [name, node] : walk().files) {
        if (node.first != info.st_dev) continue;
        durable_.files[name] = node;
        bytes_[node] = std::make_shared<std::string>(read_file(root_ / name));
    }
    for (auto& [name, device] : walk().folders) {
        if (device == info.st_dev) durable_.folders[name] = device;
    }
}

void Disk::write_durably(int fd, std::string_view bytes, std::uint64_t offset) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return;
    const std::lock_guard lock(mutex_);
    Bytes& durable = bytes_[{info.st_dev, info.st_ino}];
    if (!durable) durable = std::make_shared<std::string>();
    if (durable->size() < offset + bytes.size()) durable->resize(offset + bytes.size(), '\0');
    durable->replace(offset, bytes.size(), bytes);
}

void Disk::cut(const fs::path& into, Random& random) const {
    const std::lock_guard lock(mutex_);
    const Tree live = walk();
    const auto mode = random() % 5;
    const auto keeps = [&] {
        if (mode < 2) return mode == 0 ? Keeps::nothing : Keeps::everything;
        const auto dice = random() % 4;
        return dice == 0 ? Keeps::nothing : dice == 1 ? Keeps::everything : Keeps::some;
    };
    const auto keeps_new_name = [&] { return mode < 2 ? mode == 1 : random() % 2 == 0; };

    std::map<std::string, Node> chosen;
    std::set<Node> is_named, was_durable;
    for (const auto& [name, node] : durable_.files) was_durable.insert(node);
    std::set<std::string> names;
    for (const auto& [name, node] : durable_.files) names.insert(name);
    for (const auto& [name, node] : live.files) names.insert(name);
    for (const std::string& name : names) {
        const auto before = durable_.files.find(name);
        const auto now = live.files.find(name);
        const bool same =
            before != durable_.files.end() && now != live.files.end() && before->second == now->second;
        const bool takes_new = same || keeps_new_name();
        if (takes_new && now != live.files.end()) chosen[name] = now->second;
        if (!takes_new && before != durable_.files.end()) chosen[name] = before->second;
    }
    for (const auto& [name, earlier] : renamed_) {
        const auto now = live.files.find(name);
        const auto before = durable_.files.find(earlier);
        if (now == live.files.end() || before == durable_.files.end() || now->second != before->second)
            continue;
        const auto left = chosen.find(earlier);
        if (left == chosen.end() || left->second != before->second) chosen[name] = now->second;
    }
    for (const auto& [name, node] : chosen) is_named.insert(node);
    // What had a name and still has one is never without: a rename is one step.
    for (const auto& [name, node] : live.files) {
        if (was_durable.contains(node) && is_named.insert(node).second) chosen[name] = node;
    }

    fs::create_directories(into);
    for (const auto& [name, device] : durable_.folders) fs::create_directories(into / name);
    for (const auto& [name, device] : live.folders) {
        if (keeps_new_name()) fs::create_directories(into / name);
    }
    std::map<Node, std::string> now_at;  // a live name of each file
    for (const auto& [name, node] : live.files) now_at[node] = name;
    write(into, chosen, [&](const Node& node) {
        const auto durable = bytes_.find(node);
        const std::string before = durable == bytes_.end() ? "" : *durable->second;
        const auto at = now_at.find(node);
        // Of a file that is gone by now what was synced is left.
        const std::string now = at == now_at.end() ? before : read_file(root_ / at->second);
        return mixed(before, now, keeps(), random);
    });
}

void Disk::snapshot(const fs::path& into) const {
    const std::lock_guard lock(mutex_);
    const Tree live = walk();
    fs::create_directories(into);
    for (const auto& [name, device] : live.folders) fs::create_directories(into / name);
    std::map<Node, std::string> now_at;
    for (const auto& [name, node] : live.files) now_at[node] = name;
    write(into, live.files, [&](const Node& node) { return read_file(root_ / now_at[node]); });
}

// One image for each file, however many names it has.
void Disk::write(const fs::path& into, const std::map<std::string, Node>& names,
                 const std::function<std::string(const Node&)>& image) const {
    std::map<Node, std::string> written;
    for (const auto& [name, node] : names) {
        fs::create_directories((into / name).parent_path());
        const auto first = written.find(node);
        if (first != written.end()) {
            fs::create_hard_link(into / first->second, into / name);
        } else {
            write_file(into / name, image(node));
            written[node] = name;
        }
    }
}

}  // namespace mailstead::power
