#include "tests/unit/store/test_account.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/text.h"

namespace mailstead::store {

std::string make_message(std::string_view subject, std::string_view extra_fields, std::string_view body) {
    std::string message = "From: Ann <ann@example.org>\r\nTo: bob@example.com\r\nSubject: ";
    message += subject;
    message += "\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n";
    message += extra_fields;
    message += "\r\n";
    message += body;
    return message;
}

MailboxName name(std::string_view utf8) {
    return MailboxName::parse(utf8).value();
}

Append append_to(const MailboxName& mailbox, const std::vector<std::string>& contents,
                 const FlagList& flags) {
    Append append;
    append.to.name = mailbox;
    for (std::size_t n = 0; n < contents.size(); ++n) {
        NewMessage message;
        message.flags = flags;
        message.internal_date = kTime;
        message.size = contents[n].size();
        message.cache = build_fetch_cache(contents[n]);
        message.file = static_cast<std::uint32_t>(n);
        append.messages.push_back(std::move(message));
    }
    return append;
}

FlagList flags_of(SystemFlags system, std::vector<std::string> keywords) {
    FlagList list;
    list.system = system;
    list.keywords = std::move(keywords);
    return list;
}

TestAccount::TestAccount(AccountId id) : id_(id) {
    std::string path = std::filesystem::temp_directory_path() / "store-test-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = path;
    open();
}

TestAccount::~TestAccount() {
    close();
    std::error_code error;
    std::filesystem::remove_all(root_, error);
}

void TestAccount::open() {
    const auto place = accounts_.locate(std::to_string(id_.value)).value();
    kv::EnvOptions options = place.options;
    options.access = kv::Access::engine_writer;
    env_ = kv::Env::open(root_ / place.directory, options).value();
    environment_ = accounts_.attach(std::to_string(id_.value), env_).value();
    ReaderOptions reading;
    reading.root = root_;
    reading.beside_engine = true;
    reader_ = std::make_unique<Reader>(reading);
    follower_ = std::make_unique<Follower>(
        root_, *reader_, [this](AccountId, const Change& change) { return apply(change); }, nullptr,
        FollowerOptions{keep_deleted, [this](std::string_view line) { lines.emplace_back(line); }});
}

void TestAccount::close() {
    follower_.reset();
    reader_.reset();
    environment_.reset();
    env_.reset();
}

void TestAccount::reopen() {
    close();
    open();
}

Outcome<ChangeResult> TestAccount::apply(const Change& change, const std::vector<std::string>& files,
                                         bool replaying, bool onto_rebuilt) {
    std::vector<std::uint64_t> sizes;
    for (const std::string& file : files) sizes.push_back(file.size());
    commit::ApplyContext context(sizes, replaying);
    if (onto_rebuilt) context.set_onto_rebuilt();
    TRY(transaction, env_->write());
    TRY(result, environment_->apply(transaction, encode(change), context));
    if (keep_history) history.push_back({change, files});
    if (write_files) {
        for (const commit::FileStep& step : context.steps()) do_file_step(step, files, replaying);
    }
    TRY_VOID(transaction.commit());
    return decode_result(result);
}

// As the engine does them; in recovery what is missing is passed over.
void TestAccount::do_file_step(const commit::FileStep& step, const std::vector<std::string>& files,
                               bool replaying) {
    const std::filesystem::path from = root_ / step.from;
    const std::filesystem::path to = root_ / step.to;
    std::filesystem::create_directories(to.parent_path());
    switch (step.kind) {
        case commit::FileStep::Kind::link_file:
            if (std::filesystem::exists(to) && !replaying)
                throw std::runtime_error("two files of one name: " + step.to);
            std::ofstream(to, std::ios::binary) << files[step.file];
            break;
        case commit::FileStep::Kind::link_path:
            if (std::filesystem::exists(from) && !std::filesystem::exists(to))
                std::filesystem::create_hard_link(from, to);
            break;
        case commit::FileStep::Kind::rename: {
            std::error_code ignored;
            std::filesystem::rename(from, to, ignored);
            break;
        }
        case commit::FileStep::Kind::remove:
            std::filesystem::remove(to);
            break;
    }
}

Fault TestAccount::fault_of(Action action, const std::vector<std::string>& files) {
    const auto result = apply(std::move(action), files);
    if (result) throw std::runtime_error("it was not refused");
    return result.error().fault;
}

Appended TestAccount::deliver(std::string_view content, std::string_view mailbox, const FlagList& flags) {
    const std::vector<std::string> files = {std::string(content)};
    return must<Appended>(append_to(name(mailbox), files, flags), files);
}

Snapshot TestAccount::snapshot() {
    return reader_->open(id_).value().snapshot().value();
}

MailboxInfo TestAccount::info(std::string_view mailbox) {
    return snapshot().find(name(mailbox)).value();
}

MailboxId TestAccount::id_of(std::string_view mailbox) {
    return info(mailbox).id;
}

std::string TestAccount::read(MailboxId mailbox, Uid uid) {
    const Snapshot at = snapshot();
    const auto message = at.message(mailbox, uid).value();
    if (!message) return "no such message";
    auto file = at.open_message(mailbox, *message);
    if (!file) return file.error().what;
    std::string bytes(file->size, '\0');
    if (::pread(file->descriptor.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        return "short read";
    return bytes;
}

void TestAccount::follow() {
    for (int call = 0; call < 10'000; ++call) {
        if (follower_->follow(id_).value() == Follower::Progress::nothing_left) return;
    }
    throw std::runtime_error("the follower never ends");
}

void TestAccount::forget_headers() {
    const auto database = env_->open_database("headers").value();
    auto transaction = env_->write().value();
    transaction.clear(database).value();
    transaction.commit().value();
}

std::string TestAccount::dump() {
    static constexpr const char* kNames[] = {
        "meta",   "mailboxes", "names",   "folders",  "subscriptions", "messages", "runs",
        "unseen", "deleted",   "changes", "expunged", "renames",       "tasks",    "references",
        "cache",  "rare",      "threads", "metadata", "acl",           "grants",   "headers"};
    std::string out;
    for (const char* database_name : kNames) {
        const auto database = env_->open_database(database_name).value();
        const auto transaction = env_->read().value();
        auto cursor = kv::Cursor::open(transaction, database).value();
        out += database_name;
        out += '\n';
        for (bool there = cursor.first().value(); there; there = cursor.next().value()) {
            out += text::hex(cursor.key()) + ' ' + text::hex(cursor.value()) + '\n';
        }
    }
    return out;
}

std::vector<std::string> TestAccount::files() const {
    std::vector<std::string> list;
    if (!std::filesystem::exists(mail())) return list;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(mail())) {
        if (!entry.is_regular_file() || entry.path().filename() == "maildirfolder") continue;
        list.push_back(std::filesystem::relative(entry.path(), mail()).string());
    }
    std::sort(list.begin(), list.end());
    return list;
}

}  // namespace mailstead::store
