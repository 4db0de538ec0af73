#include "common/store/maildir.h"

#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

#include "common/base/text.h"

namespace mailstead::store::maildir {
namespace {

constexpr std::string_view kHost = ".mailstead,S=";
constexpr std::string_view kInfo = ":2,";

struct Letter {
    SystemFlag flag;
    char letter;
};
// In ASCII order, as Maildir wants them.
constexpr Letter kLetters[] = {{SystemFlag::draft, 'D'},
                               {SystemFlag::flagged, 'F'},
                               {SystemFlag::answered, 'R'},
                               {SystemFlag::seen, 'S'},
                               {SystemFlag::deleted, 'T'}};

std::optional<std::string> decode_level(std::string_view level) {
    std::string out;
    for (std::size_t i = 0; i < level.size(); ++i) {
        if (level[i] != '%') {
            out += level[i];
            continue;
        }
        const auto byte = text::unhex(level.substr(i + 1, 2));
        if (!byte || byte->size() != 1) return std::nullopt;
        out += *byte;
        i += 2;
    }
    return out;
}

// Cuts a number off behind `mark`.
template <class Number>
bool take(std::string_view& rest, char mark, Number& number) {
    if (rest.empty() || rest.front() != mark) return false;
    const char* begin = rest.data() + 1;
    const char* end = rest.data() + rest.size();
    if (begin == end || !text::is_digit(*begin)) return false;
    const auto [stop, error] = std::from_chars(begin, end, number);
    if (error != std::errc{}) return false;
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    return true;
}

bool visit_entries(DIR* opened, FunctionRef<bool(std::string_view)> visit) {
    struct Close {
        void operator()(DIR* dir) const { ::closedir(dir); }
    };
    const std::unique_ptr<DIR, Close> dir(opened);
    if (!dir) return false;
    while (const dirent* entry = ::readdir(dir.get())) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (!visit(name)) break;
    }
    return true;
}

}  // namespace

std::string folder_of(const MailboxName& name) {
    if (name.is_inbox()) return {};
    std::string folder = ".";
    for (const char c : name.utf8()) {
        if (c == MailboxName::kSeparator) {
            folder += '.';
        } else if (c == '.') {
            folder += "%2E";
        } else if (c == '%') {
            folder += "%25";
        } else {
            folder += c;
        }
    }
    return folder;
}

std::string folder_with_number(std::string_view folder, std::uint32_t mailbox) {
    return std::string(folder) + "%~" + std::to_string(mailbox);
}

std::optional<MailboxName> mailbox_of(std::string_view folder) {
    if (folder.empty()) return MailboxName::inbox();
    if (folder.size() < 2 || folder.front() != '.') return std::nullopt;
    folder.remove_prefix(1);
    if (const std::size_t number = folder.find("%~"); number != std::string_view::npos)
        folder = folder.substr(0, number);
    std::string name;
    while (true) {
        const std::size_t dot = folder.find('.');
        const auto level = decode_level(folder.substr(0, dot));
        if (!level) return std::nullopt;
        name += *level;
        if (dot == std::string_view::npos) break;
        name += MailboxName::kSeparator;
        folder.remove_prefix(dot + 1);
    }
    auto parsed = MailboxName::parse(name);
    if (!parsed || parsed->is_inbox()) return std::nullopt;
    return *std::move(parsed);
}

std::string mail_path(AccountId account) {
    return "accounts/" + std::to_string(account.value) + "/mail";
}
std::string index_path(AccountId account) {
    return "accounts/" + std::to_string(account.value) + "/index";
}

std::string folder_path(AccountId account, std::string_view folder) {
    std::string path = mail_path(account);
    if (!folder.empty()) {
        path += '/';
        path += folder;
    }
    return path;
}

std::string file_path(AccountId account, std::string_view folder, const FileName& name) {
    return folder_path(account, folder) + (name.place.in_new() ? "/new/" : "/cur/") +
           file_name(account, name);
}

// base = seconds ".A" account "B" mailbox "U" uid "M" message ".mailstead,S=" size
std::string base_name(AccountId account, const FileName& name) {
    std::string out = std::to_string(name.date < 0 ? 0 : name.date);
    const auto add = [&out](std::string_view mark, std::uint64_t number) {
        out += mark;
        out += std::to_string(number);
    };
    add(".A", account.value);
    add("B", name.mailbox);
    add("U", name.uid);
    add("M", name.message);
    add(kHost, name.size);
    return out;
}

std::string file_name(AccountId account, const FileName& name) {
    std::string out = base_name(account, name);
    if (name.place.in_new()) return out;
    out += kInfo;
    for (const Letter& entry : kLetters) {
        if (name.place.flags().has(entry.flag)) out += entry.letter;
    }
    return out;
}

std::optional<ParsedName> parse_name(std::string_view file) {
    ParsedName parsed;
    std::string_view rest = file;
    const std::size_t dot = rest.find('.');
    const auto date = text::parse_number<std::uint64_t>(rest.substr(0, dot));
    if (!date || dot == std::string_view::npos || *date > INT64_MAX / 1000) return std::nullopt;
    parsed.name.date = static_cast<std::int64_t>(*date);
    rest.remove_prefix(dot + 1);
    if (!take(rest, 'A', parsed.account.value) || !take(rest, 'B', parsed.name.mailbox) ||
        !take(rest, 'U', parsed.name.uid) || !take(rest, 'M', parsed.name.message) ||
        !rest.starts_with(kHost)) {
        return std::nullopt;
    }
    rest.remove_prefix(kHost.size() - 1);
    if (!take(rest, '=', parsed.name.size)) return std::nullopt;
    if (!rest.empty() && !rest.starts_with(kInfo)) return std::nullopt;
    parsed.name.place = Place(rest.empty() ? Place::kNew : flags_of(file).bits());
    return parsed;
}

SystemFlags flags_of(std::string_view file) {
    SystemFlags flags;
    const std::size_t info = file.rfind(kInfo);
    if (info == std::string_view::npos) return flags;
    for (const char c : file.substr(info + kInfo.size())) {
        for (const Letter& entry : kLetters) {
            if (c == entry.letter) flags = flags | entry.flag;
        }
    }
    return flags;
}

std::optional<std::int64_t> date_of(std::string_view file) {
    const auto seconds = text::parse_number<std::uint64_t>(file.substr(0, file.find('.')));
    // Later than the year 9999 is some other number.
    if (!seconds || *seconds > 253'402'300'799) return std::nullopt;
    return static_cast<std::int64_t>(*seconds);
}

bool list_directory(const std::string& path, FunctionRef<bool(std::string_view)> visit) {
    return visit_entries(::opendir(path.c_str()), visit);
}

bool list_directory(int directory, FunctionRef<bool(std::string_view)> visit) {
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const opened = copy < 0 ? nullptr : ::fdopendir(copy);
    if (opened == nullptr && copy >= 0) ::close(copy);
    return visit_entries(opened, visit);
}

std::vector<std::string> find_in_folder(const std::string& folder, std::string_view base) {
    std::vector<std::string> found;
    for (const std::string_view directory : {std::string_view("cur/"), std::string_view("new/")}) {
        list_directory(folder + '/' + std::string(directory), [&](std::string_view name) {
            if (name.starts_with(base) && (name.size() == base.size() || name[base.size()] == ':')) {
                found.push_back(std::string(directory) + std::string(name));
            }
            return true;
        });
    }
    return found;
}

std::optional<std::string> find_anywhere(const std::string& mail, AccountId account, std::uint64_t message) {
    std::vector<std::string> folders = {mail};
    list_directory(mail, [&](std::string_view name) {
        if (name.front() == '.') folders.push_back(mail + '/' + std::string(name));
        return true;
    });
    std::optional<std::string> found;
    for (const std::string& folder : folders) {
        for (const char* directory : {"/cur/", "/new/"}) {
            list_directory(folder + directory, [&](std::string_view name) {
                const auto parsed = parse_name(name);
                if (parsed && parsed->account == account && parsed->name.message == message) {
                    found = folder + directory + std::string(name);
                }
                return !found;
            });
            if (found) return found;
        }
    }
    return found;
}

}  // namespace mailstead::store::maildir
