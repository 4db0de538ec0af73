#include "common/store/deleted.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>

#include "common/base/text.h"
#include "common/mime/encoded_word.h"
#include "common/store/beneath.h"
#include "common/store/deleted_path.h"
#include "common/store/fetch_cache.h"
#include "common/store/maildir.h"
#include "common/store/sidecar.h"

namespace mailstead::store {
namespace {

constexpr std::size_t kMaxAbout = std::size_t{64} << 20;
constexpr std::size_t kTogether = 64;              // messages given back by one change
constexpr std::size_t kPayload = 1u << 20;         // bytes of one change
constexpr std::uint64_t kSummarised = 256 * 1024;  // bytes of a file that are looked at for its header
constexpr std::int64_t kDay = 86'400;

// What `about` of a day says.
struct About {
    std::map<std::uint32_t, std::string> mailboxes;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::string>> keywords;
};

About read_about(const std::filesystem::path& day) {
    About about;
    const auto text = sidecar::read_file(day / deleted::kAbout, kMaxAbout);
    if (!text) return about;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos) break;  // cut short
        std::string_view line = text::next_field(rest, '\n');
        const std::string_view word = text::next_field(line, ' ');
        const auto mailbox = text::parse_number<std::uint32_t>(text::next_field(line, ' '));
        if (!mailbox) continue;
        if (word == "mailbox") {
            if (auto name = sidecar::unescape(line)) about.mailboxes[*mailbox] = *std::move(name);
            continue;
        }
        const auto uid = text::parse_number<std::uint32_t>(text::next_field(line, ' '));
        if (word != "keywords" || !uid) continue;
        std::vector<std::string>& names = about.keywords[{*mailbox, *uid}];
        names.clear();
        while (!line.empty()) {
            if (auto name = sidecar::unescape(text::next_field(line, ' '))) names.push_back(*std::move(name));
        }
    }
    return about;
}

std::optional<DeletedMessage> parse(const std::string& day, std::string_view file, AccountId account) {
    const std::size_t dot = file.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto at = text::parse_number<std::uint32_t>(file.substr(0, dot));
    const auto parsed = maildir::parse_name(file.substr(dot + 1));
    if (!at || !parsed || parsed->account != account) return std::nullopt;
    DeletedMessage message;
    message.key = day + '/' + std::string(file);
    message.mailbox_id = MailboxId(parsed->name.mailbox);
    message.uid = Uid(parsed->name.uid);
    message.message = MessageId(parsed->name.message);
    message.deleted_at = Time(Seconds(*at));
    message.internal_date = Time(Seconds(parsed->name.date));
    message.size = parsed->name.size;
    message.flags.system = maildir::flags_of(file).without(SystemFlag::deleted);
    return message;
}

bool is_day(std::string_view name) {
    return name.size() == 10 && name[4] == '-' && name[7] == '-' && text::is_digit(name[0]);
}

std::vector<std::string> days_of(const std::filesystem::path& root, AccountId account) {
    std::vector<std::string> days;
    maildir::list_directory((root / deleted::folder_path(account)).string(), [&](std::string_view name) {
        if (is_day(name)) days.emplace_back(name);
        return true;
    });
    std::sort(days.begin(), days.end());
    return days;
}

bool passes(const DeletedFilter& filter, const DeletedMessage& message) {
    if (filter.since && message.deleted_at < *filter.since) return false;
    if (filter.before && message.deleted_at >= *filter.before) return false;
    if (!filter.mailbox) return true;
    return message.mailbox == *filter.mailbox ||
           message.mailbox.starts_with(*filter.mailbox + MailboxName::kSeparator);
}

std::string day_of(std::int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    char text[16];
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
    return std::string(text, length);
}

// Bytes that go with a day's folder; a file with other names left takes none with it.
std::uint64_t remove_day(const std::filesystem::path& day) {
    std::uint64_t octets = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(day, error)) {
        struct stat status {};
        if (::lstat(entry.path().c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1)
            octets += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    std::filesystem::remove_all(day, error);
    return octets;
}

}  // namespace

std::string deleted::folder_path(AccountId account) {
    return "accounts/" + std::to_string(account.value) + "/deleted";
}

std::string deleted::day_path(AccountId account, std::int64_t seconds) {
    return folder_path(account) + '/' + day_of(seconds);
}

std::string deleted::file_path(AccountId account, const Task& task) {
    FileName name = task.file;
    name.place = Place(task.flags.bits());
    return day_path(account, task.at) + '/' + std::to_string(task.at) + '.' +
           maildir::file_name(account, name);
}

std::vector<DeletedMessage> list_deleted(const std::filesystem::path& root, AccountId account,
                                         const DeletedFilter& filter) {
    std::vector<DeletedMessage> list;
    std::vector<std::string> days = days_of(root, account);
    std::reverse(days.begin(), days.end());
    for (const std::string& day : days) {
        if (list.size() >= filter.limit) break;
        const std::filesystem::path folder = root / deleted::folder_path(account) / day;
        const About about = read_about(folder);
        std::vector<DeletedMessage> found;
        maildir::list_directory(folder.string(), [&](std::string_view file) {
            auto message = parse(day, file, account);
            if (!message) return true;
            const std::uint32_t mailbox = message->mailbox_id.value;
            if (const auto name = about.mailboxes.find(mailbox); name != about.mailboxes.end())
                message->mailbox = name->second;
            if (const auto names = about.keywords.find({mailbox, message->uid.value});
                names != about.keywords.end())
                message->flags.keywords = names->second;
            if (passes(filter, *message)) found.push_back(*std::move(message));
            return true;
        });
        std::sort(found.begin(), found.end(), [](const DeletedMessage& a, const DeletedMessage& b) {
            return std::tie(a.deleted_at, a.key) > std::tie(b.deleted_at, b.key);
        });
        std::move(found.begin(), found.end(), std::back_inserter(list));
    }
    if (list.size() > filter.limit) list.resize(filter.limit);
    std::reverse(list.begin(), list.end());
    return list;
}

namespace {

FileDescriptor open_kept(const std::filesystem::path& root, AccountId account, const std::string& key) {
    const FileDescriptor folder = open_folder((root / deleted::folder_path(account)).string());
    if (!folder) return {};
    return open_beneath(folder.get(), key, O_RDONLY | O_NONBLOCK);
}

// Messages of one mailbox on their way back.
struct Batch {
    std::string mailbox;
    Append append;
    std::vector<commit::MessageFile> files;
    std::vector<std::string> keys;
    std::size_t payload = 0;
};

bool add_to(Batch& batch, const std::filesystem::path& root, AccountId account,
            const DeletedMessage& message) {
    FileDescriptor file = open_kept(root, account, message.key);
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::uint64_t>(status.st_size) != message.size) {
        return false;
    }
    NewMessage back;
    std::string bytes;
    if (commit::FileLayer::real().read(file.get(), 0, message.size, bytes) != 0 ||
        bytes.size() != message.size)
        return false;
    back.cache = build_fetch_cache(bytes);
    back.flags = message.flags;
    back.internal_date = message.internal_date;
    back.size = message.size;
    back.file = static_cast<std::uint32_t>(batch.files.size());
    batch.payload += back.cache.size();
    batch.append.messages.push_back(std::move(back));
    batch.files.push_back({std::move(file), message.size, nullptr});
    batch.keys.push_back(message.key);
    return true;
}

Outcome<void> give_back(Batch& batch, const std::filesystem::path& root, AccountId account, Time now,
                        const SubmitWithFiles& submit, UndeleteReport& report) {
    if (batch.keys.empty()) return {};
    const auto name = MailboxName::parse(batch.mailbox);
    batch.append.to.name = name ? *name : MailboxName::inbox();
    batch.append.to.create = true;
    batch.append.ignore_quota = true;
    TRY_VOID(submit(account, Change{now, std::move(batch.append)}, std::move(batch.files)));
    report.messages += batch.keys.size();
    for (const std::string& key : batch.keys)
        commit::FileLayer::real().remove(root / deleted::folder_path(account) / key);
    batch = {};
    return {};
}

}  // namespace

Outcome<UndeleteReport> undelete(const std::filesystem::path& root, AccountId account,
                                 const std::vector<DeletedMessage>& messages, Time now,
                                 const SubmitWithFiles& submit) {
    UndeleteReport report;
    Batch batch;
    for (const DeletedMessage& message : messages) {
        const bool is_full = batch.keys.size() == kTogether || batch.payload > kPayload;
        if (is_full || batch.mailbox != message.mailbox)
            TRY_VOID(give_back(batch, root, account, now, submit, report));
        batch.mailbox = message.mailbox;
        if (!add_to(batch, root, account, message)) ++report.missing;
    }
    TRY_VOID(give_back(batch, root, account, now, submit, report));
    return report;
}

std::optional<DeletedSummary> summary_of_deleted(const std::filesystem::path& root, AccountId account,
                                                 const DeletedMessage& message) {
    const FileDescriptor file = open_kept(root, account, message.key);
    std::string bytes;
    if (!file || commit::FileLayer::real().read(file.get(), 0, kSummarised, bytes) != 0) return std::nullopt;
    const std::string cache = build_fetch_cache(bytes);
    const auto cached = CachedMessage::read(cache);
    if (!cached) return std::nullopt;
    const auto text_of = [&](std::string_view name) {
        std::string_view field = cached->first_field(name).value_or(std::string_view());
        text::next_field(field, ':');
        std::string text = mime::decode_encoded_words(text::trim(field));
        std::replace_if(
            text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\t'; }, ' ');
        return text;
    };
    return DeletedSummary{text_of("Subject"), text_of("From")};
}

std::uint64_t purge_deleted(const std::filesystem::path& root, AccountId account, Seconds keep, Time now) {
    // What was deleted at the end of its day must be older than `keep`.
    const std::int64_t limit =
        now.time_since_epoch() / Seconds(1) - keep.count() - (keep.count() == 0 ? -kDay : kDay);
    const std::string last_day = day_of(std::max<std::int64_t>(limit, 0));
    std::uint64_t octets = 0;
    for (const std::string& day : days_of(root, account)) {
        if (day > last_day) break;
        octets += remove_day(root / deleted::folder_path(account) / day);
    }
    return octets;
}

std::uint64_t free_deleted(const std::filesystem::path& root, std::uint64_t octets) {
    std::vector<std::pair<std::string, AccountId>> days;
    maildir::list_directory((root / "accounts").string(), [&](std::string_view name) {
        const auto account = text::parse_number<std::uint32_t>(name);
        if (!account) return true;
        for (std::string& day : days_of(root, AccountId(*account)))
            days.emplace_back(std::move(day), AccountId(*account));
        return true;
    });
    std::sort(days.begin(), days.end());
    std::uint64_t freed = 0;
    for (const auto& [day, account] : days) {
        if (freed >= octets) break;
        freed += remove_day(root / deleted::folder_path(account) / day);
    }
    return freed;
}

}  // namespace mailstead::store
