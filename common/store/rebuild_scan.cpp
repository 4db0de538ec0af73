#include "common/store/rebuild_scan.h"

#include <algorithm>
#include <fcntl.h>
#include <set>
#include <tuple>

#include "common/store/beneath.h"

namespace mailstead::store::rebuild {
namespace {

constexpr std::uint32_t kNoMailbox = 0;
constexpr std::uint32_t kIdGap = 1'000;

struct Default {
    const char* name;
    SpecialUse use;
};
constexpr Default kDefaults[] = {{"INBOX", SpecialUse::none},    {"Archive", SpecialUse::archive},
                                 {"Drafts", SpecialUse::drafts}, {"Junk", SpecialUse::junk},
                                 {"Sent", SpecialUse::sent},     {"Trash", SpecialUse::trash}};

std::string file_in(AccountId account, const FileName& name) {
    return (name.place.in_new() ? "new/" : "cur/") + maildir::file_name(account, name);
}

FileName name_of(const Entry& entry) {
    return {entry.mailbox, entry.uid, entry.message, entry.date, entry.size, entry.place};
}

std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint64_t> identity(const Entry& entry) {
    return {entry.folder, entry.mailbox, entry.uid, entry.message};
}

class Scanner {
public:
    Scanner(const std::filesystem::path& root, AccountId account, Time now)
        : root_(root), account_(account), now_(now) {}

    Outcome<Scan> run() {
        const std::string path = (root_ / maildir::mail_path(account_)).string();
        mail_ = open_folder(path);
        scan_.sidecar = sidecar::read_account(root_, account_);
        if (!mail_ && !scan_.sidecar) return Failure(Fault::non_existent, "the account has no Maildir");
        take_sidecar();
        list_folders();
        for (std::uint32_t folder = 0; folder < scan_.folders.size(); ++folder) read_folder(folder);
        assign_folders();
        make_missing();
        settle_places();
        settle_messages();
        settle_strays();
        return std::move(scan_);
    }

private:
    void take_sidecar();
    void list_folders();
    void read_folder(std::uint32_t folder);
    void assign_folders();
    std::uint32_t mailbox_for(std::uint32_t folder);
    std::optional<std::uint32_t> find_folder(const std::string& folder) const;
    std::uint32_t most_named(std::uint32_t folder) const;
    std::uint32_t unused_id() const;
    std::uint32_t add_box(const MailboxName& name, const std::string& folder, std::uint32_t wanted,
                          bool subscribe);
    void add_parents(const MailboxName& name);
    void make_missing();
    using OddNames = std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint64_t>,
                              std::vector<std::string>>;
    OddNames sort_odd_names();
    void settle_places();
    void settle_messages();
    void settle_strays();
    bool is_taken(SpecialUse use) const;

    std::filesystem::path root_;
    AccountId account_;
    Time now_;
    FileDescriptor mail_;
    Scan scan_;
    std::map<std::string, std::uint32_t> names_;
    std::vector<std::map<std::uint32_t, std::uint64_t>> named_;  // per folder: how many files name a mailbox
    std::vector<std::uint32_t> mailbox_of_folder_;
    std::vector<std::pair<std::uint32_t, std::string>> foreign_;  // folder, path below mail/
    std::unordered_map<std::uint64_t, std::string> odd_;          // by number in entries
};

void Scanner::take_sidecar() {
    if (!scan_.sidecar) return;
    scan_.next_mailbox = scan_.sidecar->next_mailbox;
    scan_.last_uidvalidity = scan_.sidecar->last_uidvalidity;
    scan_.subscriptions = scan_.sidecar->subscriptions;
    for (const AccountSidecar::Mailbox& about : scan_.sidecar->mailboxes) {
        if (names_.contains(about.name) || scan_.boxes.contains(about.id)) continue;
        Box box;
        box.about = about;
        box.is_known = true;
        names_.emplace(about.name, about.id);
        scan_.boxes.emplace(about.id, std::move(box));
        scan_.next_mailbox = std::max(scan_.next_mailbox, about.id + 1);
        scan_.last_uidvalidity = std::max(scan_.last_uidvalidity, about.uidvalidity);
    }
}

void Scanner::list_folders() {
    scan_.folders = {""};
    if (!mail_) return;
    maildir::list_directory(mail_.get(), [&](std::string_view name) {
        if (name.front() != '.' || !maildir::mailbox_of(name)) return true;
        const std::string folder(name);
        // With neither of them it is no folder of a Maildir, or what is left of one.
        for (const char* directory : {"/cur", "/new"}) {
            if (!open_beneath(mail_.get(), folder + directory, O_RDONLY | O_DIRECTORY)) continue;
            scan_.folders.push_back(folder);
            break;
        }
        return true;
    });
    std::sort(scan_.folders.begin(), scan_.folders.end());
}

void Scanner::read_folder(std::uint32_t folder) {
    auto& named = named_.emplace_back();
    for (const char* directory : {"cur", "new"}) {
        const std::string& name = scan_.folders[folder];
        const std::string path = (name.empty() ? "" : name + '/') + directory;
        const FileDescriptor opened =
            mail_ ? open_beneath(mail_.get(), path, O_RDONLY | O_DIRECTORY) : FileDescriptor();
        if (!opened) continue;
        maildir::list_directory(opened.get(), [&](std::string_view file) {
            if (file.front() == '.') return true;
            const auto own = maildir::parse_name(file);
            if (!own || own->account != account_ || own->name.uid == 0 || own->name.uid >= kMaxMessages ||
                own->name.message == 0) {
                foreign_.emplace_back(folder, path + '/' + std::string(file));
                return true;
            }
            Entry entry;
            entry.message = own->name.message;
            entry.date = own->name.date;
            entry.size = own->name.size;
            entry.mailbox = own->name.mailbox;
            entry.uid = own->name.uid;
            entry.folder = folder;
            entry.place = own->name.place;
            if (entry.place.in_new() && directory == std::string_view("cur")) entry.place = Place();
            const std::string spelled = std::string(directory) + '/' + std::string(file);
            entry.is_odd = file_in(account_, name_of(entry)) != spelled;
            if (entry.is_odd) odd_.emplace(scan_.entries.size(), path + '/' + std::string(file));
            ++named[entry.mailbox];
            scan_.highest_message = std::max(scan_.highest_message, entry.message);
            scan_.entries.push_back(entry);
            return true;
        });
    }
}

// ---- folders and mailboxes

std::optional<std::uint32_t> Scanner::find_folder(const std::string& folder) const {
    const auto found = std::lower_bound(scan_.folders.begin(), scan_.folders.end(), folder);
    if (found == scan_.folders.end() || *found != folder) return std::nullopt;
    return static_cast<std::uint32_t>(found - scan_.folders.begin());
}

std::uint32_t Scanner::most_named(std::uint32_t folder) const {
    std::uint32_t best = kNoMailbox;
    std::uint64_t most = 0;
    for (const auto& [mailbox, count] : named_[folder]) {
        if (count > most && mailbox != kNoMailbox) {
            best = mailbox;
            most = count;
        }
    }
    return best;
}

bool Scanner::is_taken(SpecialUse use) const {
    return std::any_of(scan_.boxes.begin(), scan_.boxes.end(),
                       [&](const auto& box) { return box.second.about.special_use == use; });
}

// Beyond what any mailbox had: changes that the journal still holds name mailboxes by number.
std::uint32_t Scanner::unused_id() const {
    std::uint32_t highest = scan_.sidecar ? scan_.sidecar->next_mailbox : 0;
    for (const auto& named : named_) {
        for (const auto& [mailbox, count] : named) {
            if (mailbox < UINT32_MAX / 2) highest = std::max(highest, mailbox);
        }
    }
    return highest == 0 ? 1 : highest + kIdGap;
}

std::uint32_t Scanner::add_box(const MailboxName& name, const std::string& folder, std::uint32_t wanted,
                               bool subscribe) {
    add_parents(name);
    Box box;
    // A number of an unknown mailbox is believed as long as it leaves room for others.
    const bool is_free = wanted != kNoMailbox && wanted < UINT32_MAX / 2 && !scan_.boxes.contains(wanted);
    box.about.id = is_free ? wanted : std::max(scan_.next_mailbox, unused_id());
    scan_.next_mailbox = std::max(scan_.next_mailbox, box.about.id + 1);
    const std::int64_t clock = now_.time_since_epoch() / Seconds(1);
    scan_.last_uidvalidity =
        std::max(scan_.last_uidvalidity + 1,
                 static_cast<std::uint32_t>(std::clamp<std::int64_t>(clock, 1, UINT32_MAX / 2)));
    box.about.uidvalidity = scan_.last_uidvalidity;
    box.about.created = now_.time_since_epoch().count();
    box.about.folder = folder;
    box.about.name = name.utf8();
    for (const Default& preset : kDefaults) {
        if (preset.use != SpecialUse::none && name.utf8() == preset.name && !is_taken(preset.use))
            box.about.special_use = preset.use;
    }
    if (subscribe) scan_.subscriptions.push_back(name.utf8());
    names_.emplace(box.about.name, box.about.id);
    const std::uint32_t id = box.about.id;
    scan_.boxes.emplace(id, std::move(box));
    return id;
}

void Scanner::add_parents(const MailboxName& name) {
    const auto parent = name.parent();
    if (!parent || names_.contains(parent->utf8())) return;
    // Its own folder may come later in the list, and its files then tell its number.
    const std::string folder = maildir::folder_of(*parent);
    const auto number = find_folder(folder);
    const std::uint32_t id =
        add_box(*parent, folder, number ? most_named(*number) : kNoMailbox, number.has_value());
    if (number) mailbox_of_folder_[*number] = id;
}

std::uint32_t Scanner::mailbox_for(std::uint32_t folder) {
    const std::string& path = scan_.folders[folder];
    const auto name = maildir::mailbox_of(path);
    if (const auto existing = names_.find(name->utf8()); existing != names_.end()) return existing->second;
    const std::uint32_t named = most_named(folder);
    if (const auto found = scan_.boxes.find(named); found != scan_.boxes.end() && !found->second.on_disk) {
        // Its folder has moved since the sidecar was written: so did its name.
        Box& box = found->second;
        names_.erase(box.about.name);
        for (std::string& subscribed : scan_.subscriptions) {
            if (subscribed == box.about.name) subscribed = name->utf8();
        }
        box.about.name = name->utf8();
        box.about.folder = path;
        box.on_disk = true;
        names_.emplace(box.about.name, named);
        return named;
    }
    return add_box(*name, path, named, true);
}

void Scanner::assign_folders() {
    mailbox_of_folder_.assign(scan_.folders.size(), kNoMailbox);
    for (auto& [id, box] : scan_.boxes) {
        const auto folder = find_folder(box.about.folder);
        if (!folder) continue;
        mailbox_of_folder_[*folder] = id;
        box.on_disk = true;
    }
    for (std::uint32_t folder = 0; folder < scan_.folders.size(); ++folder) {
        if (mailbox_of_folder_[folder] == kNoMailbox) mailbox_of_folder_[folder] = mailbox_for(folder);
    }
}

// INBOX always; the others that every account begins with when nothing tells whether the user deleted them.
void Scanner::make_missing() {
    for (const Default& preset : kDefaults) {
        const auto name = MailboxName::parse(preset.name);
        const bool wanted = !scan_.sidecar || name->is_inbox();
        if (wanted && !names_.contains(name->utf8()))
            add_box(*name, maildir::folder_of(*name), kNoMailbox, !scan_.sidecar);
    }
    std::sort(scan_.subscriptions.begin(), scan_.subscriptions.end());
    scan_.subscriptions.erase(std::unique(scan_.subscriptions.begin(), scan_.subscriptions.end()),
                              scan_.subscriptions.end());
}

// ---- files and messages

// Odd names by what they say; several may say the same.
Scanner::OddNames Scanner::sort_odd_names() {
    OddNames odd;
    for (auto& [number, path] : odd_) odd[identity(scan_.entries[number])].push_back(std::move(path));
    for (auto& [what, paths] : odd) std::sort(paths.begin(), paths.end(), std::greater<>());
    odd_.clear();
    return odd;
}

// Each mailbox and UID has one file; what else claims them becomes a new message.
void Scanner::settle_places() {
    std::vector<Entry>& entries = scan_.entries;
    OddNames odd = sort_odd_names();
    const auto rank = [](const Entry& e) {
        return std::tuple(e.mailbox, e.uid, e.folder, e.place.in_new(), e.is_odd, e.message, e.size, e.date,
                          e.place.bits());
    };
    std::sort(entries.begin(), entries.end(),
              [&](const Entry& a, const Entry& b) { return rank(a) < rank(b); });
    std::size_t kept = 0;
    for (std::size_t n = 0; n < entries.size(); ++n) {
        const Entry entry = entries[n];
        std::string path = path_of(scan_, account_, entry);
        if (entry.is_odd) {
            auto& paths = odd.at(identity(entry));
            path = std::move(paths.back());
            paths.pop_back();
        }
        const std::uint32_t mailbox = mailbox_of_folder_[entry.folder];
        const Entry* const before = kept > 0 ? &entries[kept - 1] : nullptr;
        const bool is_claimed =
            before != nullptr && before->mailbox == entry.mailbox && before->uid == entry.uid;
        if (is_claimed && before->message == entry.message && before->size == entry.size) {
            ++scan_.doubles;
        } else if (is_claimed || mailbox != entry.mailbox) {
            // In another mailbox's folder it is a new message there: somebody has moved it.
            scan_.strays.push_back({mailbox, std::move(path), entry.date});
        } else {
            if (entry.is_odd) scan_.odd_names.emplace(key_of(entry.mailbox, entry.uid), std::move(path));
            Box& box = scan_.boxes.at(entry.mailbox);
            box.highest_uid = std::max(box.highest_uid, entry.uid);
            entries[kept++] = entry;
        }
    }
    entries.resize(kept);
}

// One message has one size: what differs is another one.
void Scanner::settle_messages() {
    std::vector<Entry>& entries = scan_.entries;
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.message, a.mailbox, a.uid) < std::tie(b.message, b.mailbox, b.uid);
    });
    std::size_t kept = 0;
    for (std::size_t n = 0; n < entries.size(); ++n) {
        const Entry entry = entries[n];
        const bool is_first = kept == 0 || entries[kept - 1].message != entry.message;
        if (is_first || entries[kept - 1].size == entry.size) {
            entries[kept++] = entry;
        } else {
            scan_.strays.push_back(
                {mailbox_of_folder_[entry.folder], path_of(scan_, account_, entry), entry.date});
        }
    }
    entries.resize(kept);
}

void Scanner::settle_strays() {
    for (auto& [folder, path] : foreign_) {
        const std::size_t slash = path.rfind('/');
        const auto date = maildir::date_of(path.substr(slash + 1));
        scan_.strays.push_back({mailbox_of_folder_[folder], std::move(path), date});
    }
    foreign_.clear();
    std::sort(scan_.strays.begin(), scan_.strays.end(), [](const Stray& a, const Stray& b) {
        return std::tie(a.mailbox, a.date, a.path) < std::tie(b.mailbox, b.date, b.path);
    });
}

}  // namespace

std::string path_of(const Scan& scan, AccountId account, const Entry& entry) {
    if (entry.is_odd) {
        const auto odd = scan.odd_names.find(key_of(entry.mailbox, entry.uid));
        if (odd != scan.odd_names.end()) return odd->second;
    }
    const std::string& folder = scan.folders[entry.folder];
    return (folder.empty() ? "" : folder + '/') + file_in(account, name_of(entry));
}

Outcome<Scan> scan(const std::filesystem::path& root, AccountId account, Time now) {
    return Scanner(root, account, now).run();
}

}  // namespace mailstead::store::rebuild
