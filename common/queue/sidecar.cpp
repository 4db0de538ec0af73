#include "common/queue/sidecar.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/base/file_descriptor.h"
#include "common/base/text.h"
#include "common/commit/checksum.h"
#include "common/queue/codec.h"

namespace mailstead::queue {
namespace {

// file = format:u8 body:string checksum:u64
constexpr std::uint8_t kFormat = 1;
constexpr std::uint64_t kSeed = 0x6d73742d71756575;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;  // 100,000 recipients fit
constexpr std::string_view kPrefix = "queue-";
constexpr std::string_view kSuffix = ".entry";
constexpr const char* kNextIdFile = "spool/queue-next";

Error errno_error(const std::string& doing) {
    return transient_error(doing + ": " + std::system_category().message(errno));
}

Error damaged(const std::filesystem::path& file) {
    return permanent_error(file.string() + " is damaged", Fault::damaged);
}

std::string framed(std::string_view body) {
    ByteWriter out;
    out.u8(kFormat);
    out.string(body);
    out.fixed64(commit::checksum(body, kSeed));
    return out.take();
}

std::optional<std::string> unframed(std::string_view bytes) {
    ByteReader in(bytes);
    if (in.u8() != kFormat) return std::nullopt;
    std::string body(in.string());
    const std::uint64_t sum = in.fixed64();
    if (!in.ok() || !in.at_end() || sum != commit::checksum(body, kSeed)) return std::nullopt;
    return body;
}

Result<void> replace_file(const std::filesystem::path& file, std::string_view bytes) {
    const std::string fresh = file.string() + ".new";
    {
        const FileDescriptor out(
            ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!out) return errno_error("create " + fresh);
        while (!bytes.empty()) {
            const ssize_t written = ::write(out.get(), bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return errno_error("write " + fresh);
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    if (::rename(fresh.c_str(), file.c_str()) != 0) return errno_error("rename " + fresh);
    return {};
}

Result<std::string> read_file(const std::filesystem::path& file) {
    const FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat facts {};
    if (!in || ::fstat(in.get(), &facts) != 0) return errno_error("open " + file.string());
    if (!S_ISREG(facts.st_mode) || static_cast<std::uint64_t>(facts.st_size) > kMostBytes)
        return damaged(file);
    std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const ssize_t count =
            ::pread(in.get(), bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(filled));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno_error("read " + file.string());
        if (count == 0) return damaged(file);
        filled += static_cast<std::size_t>(count);
    }
    return bytes;
}

}  // namespace

std::string sidecar_path(QueueId id) {
    return spool_path(id) + std::string(kSuffix);
}

Result<void> write_sidecar(const std::filesystem::path& data_dir, const QueueEntry& entry) {
    return replace_file(data_dir / sidecar_path(entry.id), framed(encode(entry)));
}

void remove_sidecar(const std::filesystem::path& data_dir, QueueId id) {
    (void)::unlink((data_dir / sidecar_path(id)).c_str());
}

bool has_sidecar(const std::filesystem::path& data_dir, QueueId id) {
    return ::access((data_dir / sidecar_path(id)).c_str(), F_OK) == 0;
}

Result<QueueEntry> read_sidecar(const std::filesystem::path& data_dir, QueueId id) {
    const std::filesystem::path file = data_dir / sidecar_path(id);
    TRY(bytes, read_file(file));
    const auto body = unframed(bytes);
    if (!body) return damaged(file);
    auto entry = decode_entry(id, *body);
    if (!entry) return damaged(file);
    return *std::move(entry);
}

Result<std::vector<QueueId>> list_sidecars(const std::filesystem::path& data_dir) {
    std::vector<QueueId> ids;
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(data_dir / "spool", error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
        const auto number = text::parse_number<std::uint64_t>(
            std::string_view(name).substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size()));
        if (number) ids.emplace_back(*number);
    }
    if (error) return transient_error("read " + (data_dir / "spool").string() + ": " + error.message());
    std::sort(ids.begin(), ids.end());
    return ids;
}

Result<void> write_next_id(const std::filesystem::path& data_dir, QueueId next) {
    ByteWriter body;
    body.fixed64(next.value);
    return replace_file(data_dir / kNextIdFile, framed(body.bytes()));
}

std::optional<QueueId> read_next_id(const std::filesystem::path& data_dir) {
    const auto bytes = read_file(data_dir / kNextIdFile);
    const auto body = bytes ? unframed(*bytes) : std::nullopt;
    if (!body || body->size() != 8) return std::nullopt;
    return QueueId(ByteReader(*body).fixed64());
}

bool has_traces(const std::filesystem::path& data_dir) {
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(data_dir / "spool", error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        if (entry->path().filename().string().starts_with(kPrefix)) return true;
    }
    return false;
}

}  // namespace mailstead::queue
