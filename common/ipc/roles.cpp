#include "common/ipc/roles.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file_descriptor.h"

namespace mailstead::ipc {

namespace {

using Roles = std::uint8_t;

constexpr Roles bit(Role role) {
    return static_cast<Roles>(1U << static_cast<unsigned>(role));
}
constexpr Roles kSmtpd = bit(Role::smtpd);
constexpr Roles kImapd = bit(Role::imapd);
constexpr Roles kAdmin = bit(Role::admin);

struct Rule {
    MessageType type;
    Roles allowed;
};

// docs/architecture.md repeats it. A type that is not here may be sent by nobody.
constexpr Rule kRequests[] = {
    {MessageType::auth_step, kSmtpd | kImapd},     {MessageType::auth_cancel, kSmtpd | kImapd},
    {MessageType::deliver_message, kSmtpd},        {MessageType::quota_question, kSmtpd},
    {MessageType::apply_change, kImapd | kAdmin},  {MessageType::ledger_line, kSmtpd | kImapd},
    {MessageType::queue_command, kAdmin},          {MessageType::status_question, kAdmin},
    {MessageType::account_gone, kAdmin},           {MessageType::session_poll, kSmtpd | kImapd},
    {MessageType::session_check, kSmtpd | kImapd}, {MessageType::session_result, kSmtpd | kImapd},
    {MessageType::account_changed, kAdmin},        {MessageType::who_question, kAdmin},
    {MessageType::kick_command, kAdmin},           {MessageType::hold_command, kAdmin},
    {MessageType::damage_report, kImapd},
    {MessageType::undelete_messages, kAdmin},
};

Error failure(const std::string& doing, const std::filesystem::path& file) {
    const std::string what = doing + ' ' + file.string() + ": " + std::strerror(errno);
    return errno == ENOENT ? transient_error(what) : permanent_error(what);
}

// Whoever may enter the key's folder by its group may read the key, whatever the umask and our own group are.
bool share_with_folder(int folder, int key) {
    struct stat status {};
    return ::fstat(folder, &status) == 0 && ::fchown(key, static_cast<uid_t>(-1), status.st_gid) == 0 &&
           ::fchmod(key, 0640) == 0;
}

Result<Secret> write_key(const std::filesystem::path& file) {
    std::string key = random_bytes(kKeySize);
    // Whole or not at all, and never over one that is there.
    const FileDescriptor folder(::open(file.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const std::string beside = "." + file.filename().string() + ".new";
    if (!folder || (::unlinkat(folder.get(), beside.c_str(), 0) != 0 && errno != ENOENT))
        return failure("cannot write", file);
    const FileDescriptor out(
        ::openat(folder.get(), beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!out || !share_with_folder(folder.get(), out.get())) return failure("cannot write", file);
    if (::write(out.get(), key.data(), key.size()) != static_cast<ssize_t>(key.size()))
        return failure("cannot write", file);
    if (::renameat(folder.get(), beside.c_str(), folder.get(), file.filename().c_str()) != 0)
        return failure("cannot write", file);
    return Secret::take(key);
}

}  // namespace

std::string_view to_string(Role role) {
    switch (role) {
        case Role::smtpd:
            return "smtpd";
        case Role::imapd:
            return "imapd";
        case Role::admin:
            break;
    }
    return "admin";
}

bool may_send(Role role, MessageType type) {
    const auto* const rule =
        std::ranges::find_if(kRequests, [&](const Rule& each) { return each.type == type; });
    return rule != std::end(kRequests) && (rule->allowed & bit(role)) != 0;
}

bool may_speak_for(Role role, Service service) {
    switch (service) {
        case Service::smtp:
        case Service::submission:
            return role == Role::smtpd;
        case Service::imap:
        case Service::pop3:
            return role == Role::imapd;
        case Service::admin:
            break;
    }
    return role == Role::admin;
}

std::filesystem::path run_folder(const std::filesystem::path& data_dir, Role role) {
    return data_dir / "run" / to_string(role);
}

std::filesystem::path socket_path(const std::filesystem::path& data_dir, Role role) {
    return run_folder(data_dir, role) / "deliver.sock";
}

std::filesystem::path key_path(const std::filesystem::path& data_dir, Role role) {
    return run_folder(data_dir, role) / "key";
}

Result<Secret> read_key(const std::filesystem::path& file) {
    const FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!in) return failure("cannot read", file);
    std::array<char, kKeySize + 1> bytes{};
    const ssize_t size = ::read(in.get(), bytes.data(), bytes.size());
    if (size < 0) return failure("cannot read", file);
    // A power cut just after it was made may leave it empty: deliver makes another.
    if (size != static_cast<ssize_t>(kKeySize)) return transient_error(file.string() + " is not a key");
    return Secret(std::string_view(bytes.data(), kKeySize));
}

Result<Secret> make_key(const std::filesystem::path& data_dir, Role role) {
    const std::filesystem::path file = key_path(data_dir, role);
    auto there = read_key(file);
    if (!there && there.error().retry != Retry::is_useless) return write_key(file);
    if (!there) return there;
    const FileDescriptor folder(::open(file.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const FileDescriptor key(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!folder || !key || !share_with_folder(folder.get(), key.get())) return failure("cannot share", file);
    return there;
}

}  // namespace mailstead::ipc
