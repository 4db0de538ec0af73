// Accounts under the real commit engine, and after power cuts.
#include "common/commit/engine.h"

#include <atomic>
#include <fcntl.h>
#include <future>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "common/base/text.h"
#include "tests/unit/commit/forgetful_files.h"
#include "tests/unit/kv/temporary_folder.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

namespace fs = std::filesystem;
using commit::testing::ForgetfulFiles;
using mailstead::testing::TemporaryFolder;

// Tells the file layer of what LMDB synced by itself.
class WatchedAccounts final : public commit::Participant {
public:
    Result<commit::EnvironmentPlace> locate(std::string_view name) override { return accounts_.locate(name); }
    Result<std::unique_ptr<commit::Environment>> attach(std::string_view name,
                                                        std::shared_ptr<kv::Env> env) override {
        const std::uint64_t before = env->read()->id();
        auto attached = accounts_.attach(name, env);
        if (on_created && env->read()->id() != before) on_created(env->directory());
        return attached;
    }
    std::function<void(const fs::path&)> on_created;

private:
    Accounts accounts_;
};

class Server {
public:
    Server(const fs::path& root, ForgetfulFiles* files) : root_(root) {
        commit::EngineOptions options;
        options.root = root;
        options.segment_size = 4u << 20;
        options.max_segments = 4;
        options.checkpoint_idle = Milliseconds(60'000);
        options.reserved_space = 1 << 20;
        if (files != nullptr)
            accounts_.on_created = [files](const fs::path& directory) {
                files->environment_was_synced(directory);
            };
        engine_ = std::make_unique<commit::Engine>(options, files);
        engine_->add("account", accounts_);
        const auto report = engine_->start();
        if (!report) {
            engine_.reset();
            return;
        }
        ReaderOptions reading;
        reading.root = root;
        reading.beside_engine = true;
        reader_ = std::make_unique<Reader>(reading);
        follower_ = std::make_unique<Follower>(
            root, *reader_,
            [this](AccountId account, Change change) { return submit(account, std::move(change.action)); },
            files);
    }
    ~Server() {
        follower_.reset();
        reader_.reset();
        engine_.reset();
    }

    bool runs() const { return engine_ != nullptr; }
    Outcome<ChangeResult> submit(AccountId account, Action action,
                                 const std::vector<std::string>& contents = {}) {
        commit::Transaction transaction;
        transaction.parts = {{environment_of(account), encode(Change{kTime, std::move(action)}), {}}};
        for (const std::string& content : contents) transaction.files.push_back(message_file(content));
        auto outcome = engine_->submit_and_wait(std::move(transaction));
        if (!outcome[0].result) return Failure(outcome[0].result.error());
        return decode_result(*outcome[0].result);
    }
    commit::Outcome deliver_to_all(const std::vector<AccountId>& accounts, const std::string& content) {
        commit::Transaction transaction;
        transaction.atomicity = commit::Atomicity::each_alone;
        for (const AccountId account : accounts) {
            transaction.parts.push_back({environment_of(account),
                                         encode(Change{kTime, append_to(MailboxName::inbox(), {content})}),
                                         {}});
        }
        transaction.files.push_back(message_file(content));
        return engine_->submit_and_wait(std::move(transaction));
    }
    void checkpoint() {
        std::promise<void> done;
        engine_->checkpoint([&](Result<void>) { done.set_value(); });
        done.get_future().wait();
    }
    Reader& reader() { return *reader_; }
    Follower& follower() { return *follower_; }
    std::optional<std::string> read(AccountId account, const MailboxName& mailbox, Uid uid) {
        const auto opened = reader_->open(account);
        if (!opened) return std::nullopt;
        const Snapshot snapshot = opened->snapshot().value();
        const auto info = snapshot.find(mailbox);
        if (!info) return std::nullopt;
        const auto message = snapshot.message(info->id, uid).value();
        if (!message) return std::nullopt;
        auto file = snapshot.open_message(info->id, *message);
        if (!file) return file.error().what;
        std::string bytes(file->size, '\0');
        EXPECT_EQ(::pread(file->descriptor.get(), bytes.data(), bytes.size(), 0),
                  static_cast<ssize_t>(bytes.size()));
        return bytes;
    }

private:
    commit::MessageFile message_file(const std::string& content) {
        fs::create_directories(root_ / "spool");
        commit::MessageFile file;
        file.descriptor =
            FileDescriptor(::open((root_ / "spool").c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        EXPECT_EQ(::pwrite(file.descriptor.get(), content.data(), content.size(), 0),
                  static_cast<ssize_t>(content.size()));
        file.size = content.size();
        return file;
    }
    fs::path root_;
    WatchedAccounts accounts_;
    std::unique_ptr<commit::Engine> engine_;
    std::unique_ptr<Reader> reader_;
    std::unique_ptr<Follower> follower_;
};

TEST(StoreUnderEngine, OneFileServesAllRecipients) {
    TemporaryFolder folder;
    Server server(folder.path(), nullptr);
    ASSERT_TRUE(server.runs());
    server.submit(AccountId(3), SetQuota{10, 0, 0}).value();
    const std::string content = make_message("to all");
    const auto outcome = server.deliver_to_all({AccountId(1), AccountId(2), AccountId(3)}, content);
    EXPECT_TRUE(outcome[0].result && outcome[1].result);
    ASSERT_FALSE(outcome[2].result);
    EXPECT_EQ(Failure(outcome[2].result.error()).fault, Fault::over_quota);
    EXPECT_EQ(outcome[2].result.error().retry, Retry::later_may_help);
    EXPECT_EQ(server.read(AccountId(1), MailboxName::inbox(), Uid(1)), content);
    EXPECT_EQ(server.read(AccountId(2), MailboxName::inbox(), Uid(1)), content);
    std::size_t links = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / "accounts/1/mail")) {
        if (entry.is_regular_file() && entry.path().filename() != "maildirfolder")
            links = fs::hard_link_count(entry.path());
    }
    EXPECT_EQ(links, 2u);
}

// What a client was told. By content, since a cut can leave more than was acknowledged but never less.
struct Promise {
    std::map<std::string, std::string> at;       // content -> mailbox: must be there
    std::map<std::string, std::string> perhaps;  // asked for and not answered: either where it was or there
    std::set<std::string> erased;
};

// Deliveries, flags, copies, moves, expunges, renames, the follower and checkpoints, one after another, until
// the lights go out.
void work(Server& server, Promise& promise, const std::atomic<bool>& dead, int salt) {
    const AccountId account(1);
    const auto mailbox = [&](const char* mailbox_name) {
        return server.reader().open(account)->snapshot()->find(name(mailbox_name))->id;
    };
    for (int n = 0; n < 36 && !dead; ++n) {
        const std::string content = make_message("m" + std::to_string(salt) + "." + std::to_string(n), "",
                                                 std::string(n % 9 == 3 ? 300'000 : 50, 'x'));
        switch (n % 6) {
            case 0:
            case 1:
            case 2: {
                promise.perhaps[content] = "";
                const auto done =
                    server.submit(account, append_to(MailboxName::inbox(), {content}), {content});
                if (!done || dead) break;
                promise.perhaps.erase(content);
                promise.at[content] = "INBOX";
                break;
            }
            case 3: {
                // The oldest message moves to Trash, or a copy of it and the original goes.
                if (promise.at.empty() || !server.reader().open(account)) break;
                const Snapshot snapshot = server.reader().open(account)->snapshot().value();
                const auto inbox = snapshot.find(MailboxName::inbox());
                const auto uids = snapshot.uids(inbox->id).value();
                if (uids.empty()) break;
                const Uid uid = uids.first();
                const std::string bytes = server.read(account, MailboxName::inbox(), uid).value_or("");
                promise.at.erase(bytes);
                promise.perhaps[bytes] = "Trash";
                if (n % 12 == 3) {
                    const auto moved = server.submit(
                        account, Copy{inbox->id, UidSet::of({uid.value}), {name("Trash")}, true});
                    if (!moved || dead) break;
                } else {
                    const auto copied = server.submit(
                        account, Copy{inbox->id, UidSet::of({uid.value}), {name("Trash")}, false});
                    if (!copied || dead) break;
                    const auto gone =
                        server.submit(account, Expunge{inbox->id, UidSet::of({uid.value}), false});
                    if (!gone || dead) break;
                }
                promise.perhaps.erase(bytes);
                promise.at[bytes] = "Trash";
                break;
            }
            case 4:
                (void)server.submit(account,
                                    StoreFlags{mailbox("INBOX"), UidSet::all(),
                                               n % 12 == 4 ? StoreFlags::How::add : StoreFlags::How::remove,
                                               flags_of(SystemFlag::seen), std::nullopt});
                break;
            case 5:
                (void)server.follower().follow(account, 4);
                if (n % 12 == 11) server.checkpoint();
                break;
        }
    }
}

void check(Server& server, const Promise& promise, const std::string& when) {
    const AccountId account(1);
    std::map<std::string, std::set<std::string>> found;
    if (const auto opened = server.reader().open(account)) {
        const Snapshot snapshot = opened->snapshot().value();
        for (const MailboxInfo& mailbox : snapshot.mailboxes().value()) {
            ASSERT_TRUE(snapshot.messages(mailbox.id, UidSet::all(), [&](const MessageInfo& message) {
                const auto bytes = server.read(account, mailbox.name, message.uid).value_or("");
                EXPECT_TRUE(bytes.starts_with("From: ")) << bytes << ' ' << when;
                EXPECT_TRUE(found[bytes].insert(mailbox.name.utf8()).second) << "twice " << when;
                return true;
            }));
        }
    }
    for (const auto& [content, mailbox] : promise.at) {
        EXPECT_EQ(found[content], std::set<std::string>{mailbox}) << content.substr(0, 80) << ' ' << when;
        found.erase(content);
    }
    for (const auto& [content, mailboxes] : found) {
        EXPECT_TRUE(mailboxes.empty() || promise.perhaps.contains(content))
            << "from nowhere: " << content.substr(0, 80) << ' ' << when;
    }
}

TEST(StoreUnderEngine, PowerCutAtAnyStepLosesNothing) {
    std::mt19937 random(21);
    for (std::uint64_t at = 5;; at += 11) {
        TemporaryFolder folder;
        Promise promise;
        std::atomic<bool> dead = false;
        {
            ForgetfulFiles files(folder.path() / "live", folder.path() / "durable", "boot 1");
            files.before_call = [&](std::uint64_t call, const char*) {
                if (call == at) {
                    dead = true;
                    files.cut_power(folder.path() / "cut", random);
                }
                return dead ? EIO : 0;
            };
            Server server(folder.path() / "live", &files);
            if (server.runs()) work(server, promise, dead, 1);
        }
        if (!dead) {
            EXPECT_GT(at, 100u);
            return;
        }
        const std::string when = "after a cut before call " + std::to_string(at);
        ForgetfulFiles files(folder.path() / "cut", folder.path() / "durable2", "boot 2");
        Server server(folder.path() / "cut", &files);
        ASSERT_TRUE(server.runs()) << when;
        check(server, promise, when);
        ASSERT_FALSE(HasFailure());
        for (int n = 0; n < 200; ++n) {
            if (server.follower().follow(AccountId(1)).value() == Follower::Progress::nothing_left) break;
        }
        check(server, promise, when + " and the follower's work");
        ASSERT_FALSE(HasFailure());
    }
}

}  // namespace
}  // namespace mailstead::store
