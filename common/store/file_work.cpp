#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/store/beneath.h"
#include "common/store/deleted_path.h"
#include "common/store/follower_state.h"
#include "common/store/sidecar.h"

namespace mailstead::store {
namespace {

Failure file_failure(const char* doing, const std::string& path, int code) {
    return Failure(Fault::unavailable, std::string(doing) + ' ' + path + ": " + commit::errno_text(code));
}

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

bool exists(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

constexpr const char* kDirectories[] = {"/cur", "/new", "/tmp"};

}  // namespace

std::string FileWork::absolute(std::string_view relative) const {
    return (snapshot_.index->root / relative).string();
}

std::string FileWork::folder(std::uint32_t mailbox) const {
    const auto record = snapshot_.mailbox_even_gone(mailbox);
    return record ? absolute(maildir::folder_path(snapshot_.index->id, record->folder)) : std::string();
}

std::string FileWork::path(const FileName& name) const {
    const auto record = snapshot_.mailbox_even_gone(name.mailbox);
    return record ? absolute(maildir::file_path(snapshot_.index->id, record->folder, name)) : std::string();
}

std::optional<std::string> FileWork::find_by_base(const FileName& name) {
    const std::string where = folder(name.mailbox);
    if (where.empty()) return std::nullopt;
    auto [listing, fresh] = listings_.try_emplace(where);
    auto& paths = listing->second;
    if (fresh) {
        for (const char* directory : {"cur", "new"}) {
            maildir::list_directory(where + '/' + directory, [&](std::string_view file) {
                paths.emplace(file.substr(0, file.find(':')),
                              std::string(directory) + '/' + std::string(file));
                return true;
            });
        }
    }
    const auto found = paths.find(maildir::base_name(snapshot_.index->id, name));
    if (found == paths.end()) return std::nullopt;
    return where + '/' + found->second;
}

Outcome<void> FileWork::rename_path(const std::string& from, const std::string& to) {
    int code = files_.rename(from, to);
    if (code == ENOENT && exists(from)) {
        if (const int made = commit::make_directories(files_, directory_of(to)); made != 0) {
            return file_failure("mkdir", directory_of(to), made);
        }
        code = files_.rename(from, to);
    }
    if (code == 0) return {};
    if (code == ENOENT) return Failure(Fault::non_existent, from);
    return file_failure("rename", from, code);
}

Outcome<void> FileWork::rename(const FileName& from, const FileName& to) {
    const std::string target = path(to);
    if (target.empty()) return {};
    auto done = rename_path(path(from), target);
    if (done || done.error().fault != Fault::non_existent || exists(target)) {
        return done || done.error().fault == Fault::non_existent ? Outcome<void>() : done;
    }
    if (const auto elsewhere = find_by_base(from)) done = rename_path(*elsewhere, target);
    // Gone: open_message() tells whoever asks for it. There is nothing to rename.
    return done || done.error().fault == Fault::non_existent ? Outcome<void>() : done;
}

Outcome<void> FileWork::move(const Task& task) {
    FileName source = task.source();
    return rename(source, task.file);
}

Outcome<void> FileWork::link(const Task& task) {
    FileName source = task.source();
    const auto record = snapshot_.message(source.mailbox, source.uid);
    if (record && *record && (*record)->message == source.message) source.place = (*record)->place();
    const std::string target = path(task.file);
    if (target.empty()) return {};
    const auto try_link = [&](const std::string& from) {
        int code = files_.link(from, target);
        if (code == ENOENT && exists(from)) {
            code = commit::make_directories(files_, directory_of(target));
            if (code == 0) code = files_.link(from, target);
        }
        return code == EEXIST ? 0 : code;
    };
    int code = try_link(path(source));
    if (code == ENOENT) {
        std::optional<std::string> elsewhere = find_by_base(source);
        if (!elsewhere && !exists(target)) {
            elsewhere = maildir::find_anywhere(absolute(maildir::mail_path(snapshot_.index->id)),
                                               snapshot_.index->id, source.message);
        }
        if (elsewhere) code = try_link(*elsewhere);
    }
    if (code == ENOENT) return {};  // the file is gone: nothing to link
    if (code != 0) return file_failure("link", target, code);
    linked_into_.insert(directory_of(target));
    return {};
}

Outcome<void> FileWork::flush_links() {
    for (const std::string& directory : linked_into_) {
        FileDescriptor descriptor;
        int code = files_.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, descriptor);
        if (code == 0) code = files_.flush(descriptor.get());
        if (code != 0) return file_failure("flush", directory, code);
    }
    linked_into_.clear();
    return {};
}

Outcome<void> FileWork::unlink(const Task& task) {
    // The last link of a file that was copied must not go before the copy's name is safe.
    TRY_VOID(flush_links());
    const std::string file = path(task.file);
    if (file.empty()) return {};
    int code = dispose_of(task, file);
    if (code == ENOENT) {
        const auto elsewhere = find_by_base(task.file);
        code = elsewhere ? dispose_of(task, *elsewhere) : 0;
    }
    if (code != 0 && code != ENOENT) return file_failure("unlink", file, code);
    return {};
}

// The file goes, or goes to where deleted messages are kept. On a full disk nothing is kept.
int FileWork::dispose_of(const Task& task, const std::string& file) {
    if (!keep_deleted_ || !task.can_be_kept()) return files_.remove(file);
    if (!exists(file)) return ENOENT;
    const AccountId account = snapshot_.index->id;
    const std::string kept = absolute(deleted::file_path(account, task));
    int code = tell_about(task, absolute(deleted::day_path(account, task.at)));
    if (code == 0) code = files_.rename(file, kept);
    return code == ENOSPC || code == EDQUOT ? files_.remove(file) : code;
}

// The mailbox's name and the keywords, before the file comes.
int FileWork::tell_about(const Task& task, const std::string& day) {
    std::string lines;
    if (told_.insert({day, task.file.mailbox}).second) {
        if (const auto mailbox = snapshot_.mailbox_even_gone(task.file.mailbox))
            lines =
                "mailbox " + std::to_string(task.file.mailbox) + ' ' + sidecar::escape(mailbox->name) + '\n';
    }
    if (const Keywords keywords{task.keywords}; !keywords.empty()) {
        const std::vector<std::string>& names = keyword_names();
        lines += "keywords " + std::to_string(task.file.mailbox) + ' ' + std::to_string(task.file.uid);
        keywords.each([&](std::size_t bit) {
            if (bit < names.size()) lines += ' ' + sidecar::escape(names[bit]);
        });
        lines += '\n';
    }
    if (lines.empty()) return 0;
    FileDescriptor about;
    std::uint64_t size = 0;
    int code = commit::make_directories(files_, day);
    if (code == 0)
        code =
            files_.open(day + '/' + deleted::kAbout, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600, about);
    if (code == 0) code = files_.size_of(about.get(), size);
    if (code == 0) code = files_.write(about.get(), lines, size);
    return code;
}

const std::vector<std::string>& FileWork::keyword_names() {
    if (!keywords_) {
        const auto bytes = snapshot_.txn.get(snapshot_.index->db.meta, key::kKeywordsKey);
        const auto table = bytes && *bytes ? KeywordTable::decode(**bytes) : KeywordTable();
        keywords_ = table ? table->names() : std::vector<std::string>();
    }
    return *keywords_;
}

// Both folders without following links: the name was another program's, and the folders may be.
Outcome<void> FileWork::adopt(const Task& task) {
    const std::string target = path(task.file);
    if (target.empty()) return {};
    const std::string mail = absolute(maildir::mail_path(snapshot_.index->id));
    const FileDescriptor folder = open_folder(mail);
    const auto part = [](const std::string& where) {
        return std::pair(directory_of(where), where.substr(where.rfind('/') + 1));
    };
    const auto [from, old_name] = part(task.path);
    const auto [to, new_name] = part(target.substr(mail.size() + 1));
    const FileDescriptor source = open_beneath(folder.get(), from, O_RDONLY | O_DIRECTORY);
    if (!source) return {};
    FileDescriptor destination = open_beneath(folder.get(), to, O_RDONLY | O_DIRECTORY);
    if (!destination && errno == ENOENT) {
        if (const int made = commit::make_directories(files_, directory_of(target)); made != 0)
            return file_failure("mkdir", directory_of(target), made);
        destination = open_beneath(folder.get(), to, O_RDONLY | O_DIRECTORY);
    }
    if (!destination) return file_failure("open", directory_of(target), errno);
    if (::renameat(source.get(), old_name.c_str(), destination.get(), new_name.c_str()) == 0 ||
        errno == ENOENT)
        return {};
    return file_failure("rename", mail + '/' + task.path, errno);
}

Outcome<void> FileWork::complete_folder(const std::string& name) {
    const std::string where = absolute(maildir::folder_path(snapshot_.index->id, name));
    for (const char* directory : kDirectories) {
        if (const int code = commit::make_directories(files_, where + directory); code != 0) {
            return file_failure("mkdir", where + directory, code);
        }
    }
    if (name.empty()) return {};
    // Maildir++: tells delivery agents that this is a folder of a larger Maildir.
    FileDescriptor mark;
    files_.open(where + "/maildirfolder", O_WRONLY | O_CREAT | O_CLOEXEC, 0640, mark);
    return {};
}

Outcome<bool> FileWork::rename_folder(const std::string& from, const std::string& to) {
    const std::string old_path = absolute(maildir::folder_path(snapshot_.index->id, from));
    const std::string new_path = absolute(maildir::folder_path(snapshot_.index->id, to));
    if (!exists(old_path)) return true;
    const int code = files_.rename(old_path, new_path);
    if (code == ENOTEMPTY || code == EEXIST) {
        // A folder without a mailbox: an empty one gives way, one with files in it keeps its name.
        TRY_VOID(remove_folder(to));
        if (exists(new_path)) return false;
        if (const int again = files_.rename(old_path, new_path); again != 0)
            return file_failure("rename", old_path, again);
        return true;
    }
    if (code != 0) return file_failure("rename", old_path, code);
    return true;
}

Outcome<void> FileWork::merge_folder(const std::string& from, const std::string& to) {
    const std::string old_path = absolute(maildir::folder_path(snapshot_.index->id, from));
    const std::string new_path = absolute(maildir::folder_path(snapshot_.index->id, to));
    if (!exists(old_path)) return {};
    for (const char* directory : {"/cur", "/new"}) {
        std::vector<std::string> names;
        maildir::list_directory(old_path + directory, [&](std::string_view name) {
            names.emplace_back(name);
            return true;
        });
        for (const std::string& name : names) {
            TRY_VOID(rename_path(old_path + directory + '/' + name, new_path + directory + '/' + name));
        }
    }
    return remove_folder(from);
}

Outcome<void> FileWork::remove_folder(const std::string& name) {
    if (name.empty()) return {};
    const std::string where = absolute(maildir::folder_path(snapshot_.index->id, name));
    // Whatever else lies there stays, and the folder with it.
    for (const char* directory : kDirectories) ::rmdir((where + directory).c_str());
    if (!exists(where + "/cur") && !exists(where + "/new") && !exists(where + "/tmp")) {
        files_.remove(where + "/maildirfolder");
    }
    ::rmdir(where.c_str());
    return {};
}

}  // namespace mailstead::store
