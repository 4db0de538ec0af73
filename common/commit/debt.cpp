#include "common/commit/debt.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>

#include "common/base/bytes.h"
#include "common/commit/checksum.h"

namespace mailstead::commit {
namespace {

constexpr std::string_view kPrefix = "debt-";
constexpr std::string_view kUnfinished = ".new";
constexpr std::string_view kMagic = "MSDEBT01";

std::string file_name(std::string_view key) {
    std::string name = std::string(kPrefix) + std::string(key);
    std::replace(name.begin(), name.end(), '/', '+');
    return name;
}

std::string key_of(std::string_view file) {
    std::string key(file.substr(kPrefix.size()));
    std::replace(key.begin(), key.end(), '+', '/');
    return key;
}

// debt = magic environment why retry fault since inode meta-pages *frame checksum
std::string encode(const Debt& debt) {
    ByteWriter out;
    out.raw(kMagic);
    out.string(debt.aside.environment);
    out.string(debt.aside.why.what);
    out.u8(static_cast<std::uint8_t>(debt.aside.why.retry));
    out.u8(static_cast<std::uint8_t>(debt.aside.why.fault));
    out.fixed64(static_cast<std::uint64_t>(debt.aside.since.time_since_epoch().count()));
    out.fixed64(debt.inode);
    out.boolean(debt.onto_rebuilt);
    out.string(debt.meta_pages);
    out.varint(debt.frames.size());
    for (const std::string& frame : debt.frames) out.string(frame);
    out.fixed64(checksum(out.bytes(), 0));
    return out.take();
}

std::optional<Debt> decode(std::string_view bytes) {
    if (bytes.size() < 8) return std::nullopt;
    const std::string_view body = bytes.substr(0, bytes.size() - 8);
    if (ByteReader(bytes.substr(body.size())).fixed64() != checksum(body, 0)) return std::nullopt;
    ByteReader in(body);
    if (in.raw(kMagic.size()) != kMagic) return std::nullopt;
    Debt debt;
    debt.aside.environment = in.string();
    debt.aside.why.what = in.string();
    debt.aside.why.retry = in.u8() == 0 ? Retry::later_may_help : Retry::is_useless;
    debt.aside.why.fault = static_cast<Fault>(in.u8());
    debt.aside.since = Time(Milliseconds(static_cast<std::int64_t>(in.fixed64())));
    debt.inode = in.fixed64();
    debt.onto_rebuilt = in.boolean();
    debt.meta_pages = in.string();
    debt.frames.resize(in.count());
    for (std::string& frame : debt.frames) frame = in.string();
    if (!in.ok() || !in.at_end()) return std::nullopt;
    return debt;
}

Error failure(std::string_view doing, const std::filesystem::path& path, int code) {
    return transient_error("cannot " + std::string(doing) + " " + path.string() + ": " + errno_text(code),
                           code == ENOSPC || code == EDQUOT ? Fault::disk_full : Fault::none);
}

Result<void> sync_folder(FileLayer& files, const std::filesystem::path& directory) {
    if (const int rc = flush_folder(files, directory)) return failure("sync", directory, rc);
    return {};
}

}  // namespace

Record share_of(const Record& record, std::string_view key) {
    Record share;
    share.kind = record.kind;
    share.names_links = record.names_links;
    share.batch = record.batch;
    std::size_t index = record.environments.size();
    for (std::size_t i = 0; i < record.environments.size(); ++i) {
        if (record.environments[i].key == key) index = i;
    }
    if (index == record.environments.size()) return share;
    share.environments.push_back(record.environments[index]);
    for (const RecordedTransaction& transaction : record.transactions) {
        RecordedTransaction its;
        for (const RecordedPart& part : transaction.parts) {
            if (part.environment == index) its.parts.push_back({0, part.payload, part.steps});
        }
        if (its.parts.empty()) continue;
        its.files = transaction.files;
        share.transactions.push_back(std::move(its));
    }
    return share;
}

Result<void> ShareCollector::take(std::string_view frame) {
    const auto record = decode_record(frame);
    if (!record) return permanent_error("a record is not understood", Fault::damaged);
    const std::string_view key = debt_.aside.environment;
    if (record->kind == Record::Kind::drop && record->dropped == key) {
        debt_.frames.clear();
        debt_.meta_pages.clear();
    }
    const bool is_revoke = record->kind == Record::Kind::revoke;
    const Record share = is_revoke ? *record : share_of(*record, key);
    if (!is_revoke && share.transactions.empty()) return {};
    if (debt_.meta_pages.empty() && !is_revoke) debt_.meta_pages = share.environments.front().meta_pages;
    FrameBuffer buffer;
    buffer.clear();
    encode_record(buffer, share);
    debt_.frames.emplace_back(buffer.payload());
    return {};
}

bool blames_environment(const Error& error) {
    return error.fault != Fault::disk_full && error.fault != Fault::busy;
}

std::uint64_t inode_of_data_file(const std::filesystem::path& directory) {
    struct stat info {};
    return ::stat((directory / "data.mdb").c_str(), &info) == 0 ? info.st_ino : 0;
}

Result<void> write_debt(FileLayer& files, const std::filesystem::path& directory, const Debt& debt) {
    const auto path = directory / file_name(debt.aside.environment);
    const std::filesystem::path unfinished = path.string() + std::string(kUnfinished);
    FileDescriptor file;
    int rc = files.open(unfinished, O_RDWR | O_CREAT | O_TRUNC, 0600, file);
    if (rc == 0) rc = files.write(file.get(), encode(debt), 0);
    if (rc == 0) rc = files.flush(file.get());
    if (rc == 0) rc = files.rename(unfinished, path);
    if (rc != 0) {
        files.remove(unfinished);
        return failure("write", path, rc);
    }
    return sync_folder(files, directory);
}

Result<Debt> read_debt(FileLayer& files, const std::filesystem::path& directory, std::string_view key) {
    const auto path = directory / file_name(key);
    FileDescriptor file;
    std::uint64_t size = 0;
    std::string bytes;
    int rc = files.open(path, O_RDONLY, 0, file);
    if (rc == 0) rc = files.size_of(file.get(), size);
    if (rc == 0) rc = files.read(file.get(), 0, size, bytes);
    if (rc != 0) return failure("read", path, rc);
    auto debt = decode(bytes);
    if (!debt) return permanent_error(path.string() + " is damaged", Fault::damaged);
    return std::move(*debt);
}

Result<void> remove_debt(FileLayer& files, const std::filesystem::path& directory, std::string_view key) {
    const auto path = directory / file_name(key);
    if (const int rc = files.remove(path); rc != 0 && rc != ENOENT) return failure("remove", path, rc);
    return sync_folder(files, directory);
}

std::vector<SetAside> list_debts(FileLayer& files, const std::filesystem::path& directory) {
    std::vector<std::string> names;
    files.list(directory, names);
    std::vector<SetAside> asides;
    for (const std::string& name : names) {
        if (!name.starts_with(kPrefix) || name.ends_with(kUnfinished)) continue;
        const std::string key = key_of(name);
        const auto debt = read_debt(files, directory, key);
        asides.push_back(debt ? debt->aside : SetAside{key, debt.error(), Time()});
    }
    return asides;
}

}  // namespace mailstead::commit
