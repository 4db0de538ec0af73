#include "common/store/sidecar.h"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/store/index.h"

namespace mailstead::store {
namespace {

constexpr std::string_view kAccountTitle = "mailstead-mailboxes";
constexpr std::string_view kMailboxTitle = "mailstead-messages";
constexpr std::string_view kVersion = "1";
constexpr std::size_t kMaxFile = std::size_t{256} << 20;

// Lines of tokens, the last line telling how many there were: a text that was cut is noticed.
class Lines {
public:
    template <class... Tokens>
    void add(const Tokens&... tokens) {
        (append(tokens), ...);
        out_.back() = '\n';
        ++count_;
    }
    std::string take() {
        add("end", count_);
        return std::move(out_);
    }

private:
    void append(std::string_view token) {
        out_ += token;
        out_ += ' ';
    }
    template <class Number>
    requires std::is_integral_v<Number>
    void append(Number number) { append(std::string_view(std::to_string(number))); }
    std::string out_;
    std::uint64_t count_ = 0;
};

class LineReader {
public:
    explicit LineReader(std::string_view text) : rest_(text) {}
    // False at the end of the text.
    bool next() {
        const std::size_t end = rest_.find('\n');
        if (end == std::string_view::npos) return false;
        line_ = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        ++count_;
        return true;
    }
    std::string_view word() { return text::next_field(line_, ' '); }
    template <class Number>
    Number number() {
        const std::string_view token = word();
        Number value{};
        const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), value);
        if (error != std::errc{} || stop != token.data() + token.size()) ok_ = false;
        return value;
    }
    std::string string() {
        auto value = sidecar::unescape(word());
        if (!value) ok_ = false;
        return value ? *std::move(value) : std::string();
    }
    UidSet set() {
        std::vector<UidRange> ranges;
        std::string_view rest = word();
        while (!rest.empty()) {
            std::string_view range = text::next_field(rest, ',');
            const std::string_view first = text::next_field(range, ':');
            const auto from = text::parse_number<std::uint32_t>(first);
            const auto to = range.empty() ? from : text::parse_number<std::uint32_t>(range);
            if (!from || !to || *from == 0 || *to < *from) {
                ok_ = false;
                return {};
            }
            ranges.push_back(UidRange{*from, *to});
        }
        return UidSet::from(std::move(ranges));
    }
    bool is_end() { return number<std::uint64_t>() == count_ - 1 && ok_; }
    bool ok() const { return ok_; }

private:
    std::string_view rest_;
    std::string_view line_;
    std::uint64_t count_ = 0;
    bool ok_ = true;
};

std::string text_of(const UidSet& set) {
    std::string out;
    for (const UidRange range : set.ranges()) {
        if (!out.empty()) out += ',';
        out += std::to_string(range.first);
        if (range.last != range.first) out += ':' + std::to_string(range.last);
    }
    return out;
}

// Without "c" and "d", which stand for two rights each and would grant both.
std::string letters_of(Rights rights) {
    std::string letters = rights.to_string();
    std::erase_if(letters, [](char c) { return c == 'c' || c == 'd'; });
    return letters;
}

std::string_view text_of(SpecialUse use) {
    return use == SpecialUse::none ? std::string_view("-") : attribute_of(use);
}

AccountSidecar::Mailbox read_mailbox_line(LineReader& in, bool& is_good) {
    AccountSidecar::Mailbox box;
    box.id = in.number<std::uint32_t>();
    box.uidvalidity = in.number<std::uint32_t>();
    box.uidnext = in.number<std::uint32_t>();
    box.created = in.number<std::int64_t>();
    const std::string_view use = in.word();
    if (use != "-") {
        const auto known = special_use_of(use);
        is_good = is_good && known;
        box.special_use = known.value_or(SpecialUse::none);
    }
    box.folder = in.string();
    box.name = in.string();
    is_good = is_good && box.id != 0 && box.uidvalidity != 0 && MailboxName::parse(box.name);
    return box;
}

}  // namespace

// ---- texts

std::string sidecar::escape(std::string_view text) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    if (text.empty()) return "%";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > ' ' && byte != '%' && byte != 0x7F) {
            out += c;
        } else {
            out += '%';
            out += kDigits[byte >> 4];
            out += kDigits[byte & 15];
        }
    }
    return out;
}

std::optional<std::string> sidecar::unescape(std::string_view token) {
    if (token == "%") return std::string();
    if (token.empty()) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < token.size(); ++i) {
        if (token[i] != '%') {
            out += token[i];
            continue;
        }
        const auto byte = text::unhex(token.substr(i + 1, 2));
        if (!byte || byte->size() != 1) return std::nullopt;
        out += *byte;
        i += 2;
    }
    return out;
}

std::string AccountSidecar::encode() const {
    Lines out;
    out.add(kAccountTitle, kVersion);
    out.add("account", account.value);
    out.add("uidvalidity", last_uidvalidity);
    out.add("next-mailbox", next_mailbox);
    out.add("next-message", next_message);
    out.add("modseq", modseq);
    out.add("quota", quota_octets, quota_messages, quota_mailboxes);
    for (const std::string& keyword : keywords) out.add("keyword", sidecar::escape(keyword));
    for (const Mailbox& box : mailboxes) {
        out.add("mailbox", box.id, box.uidvalidity, box.uidnext, box.created, text_of(box.special_use),
                sidecar::escape(box.folder), sidecar::escape(box.name));
    }
    for (const std::string& name : subscriptions) out.add("subscribed", sidecar::escape(name));
    for (const Line& line : acl) {
        out.add("acl", line.mailbox, line.entry.who.value, line.entry.negative ? "-" : "+",
                sidecar::escape(letters_of(line.entry.rights)));
    }
    for (const Annotation& note : annotations)
        out.add("annotation", note.mailbox, sidecar::escape(note.name), sidecar::escape(note.value));
    return out.take();
}

std::optional<AccountSidecar> AccountSidecar::decode(std::string_view text) {
    LineReader in(text);
    if (!in.next() || in.word() != kAccountTitle || in.word() != kVersion) return std::nullopt;
    AccountSidecar side;
    bool is_good = true;
    while (in.next()) {
        const std::string_view word = in.word();
        if (word == "end") return in.is_end() && is_good ? std::optional(std::move(side)) : std::nullopt;
        if (word == "account") {
            side.account = AccountId(in.number<std::uint32_t>());
        } else if (word == "uidvalidity") {
            side.last_uidvalidity = in.number<std::uint32_t>();
        } else if (word == "next-mailbox") {
            side.next_mailbox = in.number<std::uint32_t>();
        } else if (word == "next-message") {
            side.next_message = in.number<std::uint64_t>();
        } else if (word == "modseq") {
            side.modseq = in.number<std::uint64_t>();
        } else if (word == "quota") {
            side.quota_octets = in.number<std::uint64_t>();
            side.quota_messages = in.number<std::uint64_t>();
            side.quota_mailboxes = in.number<std::uint64_t>();
        } else if (word == "keyword") {
            side.keywords.push_back(in.string());
        } else if (word == "mailbox") {
            side.mailboxes.push_back(read_mailbox_line(in, is_good));
        } else if (word == "subscribed") {
            side.subscriptions.push_back(in.string());
        } else if (word == "acl") {
            Line line;
            line.mailbox = in.number<std::uint32_t>();
            line.entry.who = AccountId(in.number<std::uint32_t>());
            line.entry.negative = in.word() == "-";
            const auto rights = Rights::parse(in.string());
            is_good = is_good && rights;
            line.entry.rights = rights.value_or(Rights());
            side.acl.push_back(line);
        } else if (word == "annotation") {
            Annotation note;
            note.mailbox = in.number<std::uint32_t>();
            note.name = in.string();
            note.value = in.string();
            side.annotations.push_back(std::move(note));
        }
        if (!in.ok() || !is_good) return std::nullopt;
    }
    return std::nullopt;
}

std::string MailboxSidecar::encode() const {
    Lines out;
    out.add(kMailboxTitle, kVersion);
    for (const auto& [name, uids] : keywords) out.add("keyword", sidecar::escape(name), text_of(uids));
    for (const auto& [seconds, uids] : delays) out.add("saved", seconds, text_of(uids));
    for (const auto& [seconds, uids] : early) out.add("dated", seconds, text_of(uids));
    return out.take();
}

std::optional<MailboxSidecar> MailboxSidecar::decode(std::string_view text) {
    LineReader in(text);
    if (!in.next() || in.word() != kMailboxTitle || in.word() != kVersion) return std::nullopt;
    MailboxSidecar side;
    while (in.next()) {
        const std::string_view word = in.word();
        if (word == "end") return in.is_end() ? std::optional(std::move(side)) : std::nullopt;
        if (word == "keyword") {
            std::string name = in.string();
            side.keywords[std::move(name)] = in.set();
        } else if (word == "saved" || word == "dated") {
            const auto seconds = in.number<std::int64_t>();
            (word == "saved" ? side.delays : side.early)[seconds] = in.set();
        }
        if (!in.ok()) return std::nullopt;
    }
    return std::nullopt;
}

// ---- files

std::string sidecar::folder_path(AccountId account) {
    return "accounts/" + std::to_string(account.value) + "/sidecar";
}
std::string sidecar::account_file(AccountId account) {
    return folder_path(account) + "/mailboxes";
}
std::string sidecar::mailbox_file(AccountId account, std::uint32_t mailbox) {
    return folder_path(account) + "/messages." + std::to_string(mailbox);
}

std::optional<std::string> sidecar::read_file(const std::filesystem::path& path, std::size_t limit) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    if (static_cast<std::uint64_t>(status.st_size) > limit) return std::nullopt;
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t have = 0;
    while (have < bytes.size()) {
        const ssize_t n =
            ::pread(file.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return std::nullopt;
        have += static_cast<std::size_t>(n);
    }
    return bytes;
}

int sidecar::write_file(commit::FileLayer& files, const std::filesystem::path& root, const std::string& path,
                        std::string_view bytes) {
    const std::string target = (root / path).string();
    const std::string fresh = target + ".new";
    int code = commit::make_directories(files, target.substr(0, target.rfind('/')));
    FileDescriptor file;
    if (code == 0)
        code = files.open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600, file);
    if (code == 0) code = files.write(file.get(), bytes, 0);
    // Until the next checkpoint a power cut may leave the new one empty.
    if (code == 0) {
        code = files.rename(target, target + '~');
        if (code == ENOENT) code = 0;
    }
    if (code == 0) code = files.rename(fresh, target);
    return code;
}

std::optional<AccountSidecar> sidecar::read_account(const std::filesystem::path& root, AccountId account) {
    for (const char* mark : {"", "~"}) {
        const auto bytes = read_file(root / (account_file(account) + mark), kMaxFile);
        if (!bytes) continue;
        auto side = AccountSidecar::decode(*bytes);
        if (side && side->account == account) return side;
    }
    return std::nullopt;
}

MailboxSidecar sidecar::read_mailbox(const std::filesystem::path& root, AccountId account,
                                     std::uint32_t mailbox) {
    for (const char* mark : {"", "~"}) {
        const auto bytes = read_file(root / (mailbox_file(account, mailbox) + mark), kMaxFile);
        if (!bytes) continue;
        if (auto side = MailboxSidecar::decode(*bytes)) return *std::move(side);
    }
    return {};
}

// ---- out of the index

namespace {

template <class Number>
Number reserved(Number value, Number step, Number limit) {
    return value > limit - 2 * step ? value : (value / step + 2) * step;
}

Outcome<void> gather_lists(const Snapshot& snapshot, AccountSidecar& side) {
    TRY(subscriptions, snapshot.subscriptions());
    for (const MailboxName& name : subscriptions) side.subscriptions.push_back(name.utf8());
    TRY(keywords, snapshot.keywords());
    side.keywords = std::move(keywords);
    const auto annotations = [&](std::uint32_t id, const std::optional<MailboxName>& name) -> Outcome<void> {
        TRY(list, snapshot.metadata(name));
        for (Snapshot::Annotation& note : list)
            side.annotations.push_back({id, std::move(note.name), std::move(note.value)});
        return {};
    };
    TRY(info, snapshot.account());
    if (info.metadata_modseq.value == 0) return {};
    TRY_VOID(annotations(0, std::nullopt));
    for (const AccountSidecar::Mailbox& box : side.mailboxes)
        TRY_VOID(annotations(box.id, MailboxName::parse(box.name).value()));
    return {};
}

}  // namespace

Outcome<AccountSidecar> sidecar::gather_account(const Snapshot& snapshot) {
    const Snapshot::State& state = snapshot.state();
    AccountSidecar side;
    TRY(bytes, state.txn.get(state.index->db.meta, key::kAccountKey));
    if (!bytes) return Failure(Fault::damaged, "the account record is missing");
    TRY(record, AccountRecord::decode(*bytes));
    side.account = state.index->id;
    side.last_uidvalidity = record.last_uidvalidity;
    side.next_mailbox = record.next_mailbox;
    side.next_message = reserved<std::uint64_t>(record.next_message, kMessageReserve, UINT64_MAX);
    side.modseq = reserved<std::uint64_t>(record.modseq, kModSeqReserve, UINT64_MAX);
    side.quota_octets = record.quota_octets;
    side.quota_messages = record.quota_messages;
    side.quota_mailboxes = record.quota_mailboxes;
    TRY(cursor, kv::Cursor::open(state.txn, state.index->db.mailboxes));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        TRY(box, MailboxRecord::decode(cursor.value()));
        const std::uint32_t id = kv::KeyReader(cursor.key()).u32();
        if (!box.is_gone) {
            side.mailboxes.push_back({id, box.uidvalidity,
                                      reserved<std::uint32_t>(box.uidnext, kUidReserve, kMaxMessages),
                                      box.created, box.special_use, box.folder, box.name});
            TRY(acl, snapshot.acl(MailboxId(id)));
            for (const AclEntry& entry : acl) side.acl.push_back({id, entry});
        }
        TRY(next, cursor.next());
        there = next;
    }
    TRY_VOID(gather_lists(snapshot, side));
    return side;
}

Outcome<MailboxSidecar> sidecar::gather_mailbox(const Snapshot& snapshot, MailboxId mailbox) {
    MailboxSidecar side;
    TRY(names, snapshot.keywords());
    std::vector<UidSet> by_bit(Keywords::kLimit);
    const auto look = [&](const MessageInfo& message) {
        message.flags.keywords.each([&](std::size_t bit) { by_bit[bit].add(message.uid); });
        const std::int64_t date = message.internal_date.time_since_epoch() / Seconds(1);
        const std::int64_t delay = message.save_date.time_since_epoch() / Seconds(1) - date;
        if (delay != 0) side.delays[delay].add(message.uid);
        if (date < 0) side.early[date].add(message.uid);
        return true;
    };
    TRY_VOID(snapshot.messages(mailbox, UidSet::all(), look));
    for (std::size_t bit = 0; bit < by_bit.size() && bit < names.size(); ++bit) {
        if (!by_bit[bit].empty()) side.keywords.emplace(names[bit], std::move(by_bit[bit]));
    }
    return side;
}

}  // namespace mailstead::store
