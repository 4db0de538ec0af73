#include "common/store/rebuild.h"

#include <algorithm>
#include <vector>

#include "common/store/adopt.h"
#include "common/store/applier.h"
#include "common/store/maildir.h"

namespace mailstead::store {
namespace {

constexpr std::size_t kBatch = 256;  // messages in one transaction

struct Found {
    std::string path;  // below mail/
    std::int64_t date = 0;
    std::uint32_t uid = 0;  // in the lost index; 0 for foreign names
};

class Rebuild {
public:
    Rebuild(const std::filesystem::path& root, AccountId account, Time now)
        : root_(root), account_(account), now_(now), mail_((root / maildir::mail_path(account)).string()) {}

    Outcome<RebuildReport> run() {
        const std::filesystem::path index = root_ / maildir::index_path(account_);
        const std::filesystem::path fresh = index.string() + ".new";
        std::error_code error;
        std::filesystem::remove_all(fresh, error);
        {
            TRY(env, kv::Env::open(fresh, index_options(kv::Access::durable_writer)));
            TRY(databases, open_databases(*env));
            env_ = std::move(env);
            databases_ = databases;
            TRY_VOID(fill());
            TRY_VOID(env_->sync());
            env_.reset();
        }
        if (std::filesystem::exists(index, error)) {
            report_.old_index =
                index.string() + ".damaged-" + std::to_string(now_.time_since_epoch().count());
            std::filesystem::rename(index, report_.old_index, error);
            if (error) return Failure(Fault::unavailable, "rename the old index: " + error.message());
        }
        std::filesystem::rename(fresh, index, error);
        if (error) return Failure(Fault::unavailable, "rename the new index: " + error.message());
        return report_;
    }

private:
    Outcome<void> fill() {
        TRY_VOID(apply({Change{now_, CreateAccount{}}}));
        std::vector<std::string> folders = {""};
        maildir::list_directory(mail_, [&](std::string_view name) {
            if (name.front() == '.' && maildir::mailbox_of(name)) folders.emplace_back(name);
            return true;
        });
        std::sort(folders.begin(), folders.end());
        for (const std::string& folder : folders) TRY_VOID(take_folder(folder));
        TRY(transaction, env_->read());
        TRY(count, transaction.count(databases_.names));
        report_.mailboxes = count;
        return {};
    }

    Outcome<void> take_folder(const std::string& folder) {
        const auto name = maildir::mailbox_of(folder);
        TRY(mailbox, mailbox_named(*name));
        std::vector<Found> files = list(folder);
        const auto earlier = [](const Found& a, const Found& b) {
            return std::tie(a.date, a.uid, a.path) < std::tie(b.date, b.uid, b.path);
        };
        std::sort(files.begin(), files.end(), earlier);
        std::vector<Change> batch;
        for (const Found& file : files) {
            auto message = take_foreign_file(commit::FileLayer::real(), mail_ + '/' + file.path);
            if (!message) {
                if (message.error().is_transient()) return message.error();
                ++report_.skipped;
                continue;
            }
            message->internal_date = Time(
                Seconds(file.date != 0 ? file.date : message->internal_date.time_since_epoch() / Seconds(1)));
            batch.push_back(Change{now_, AdoptFile{mailbox, file.path, *std::move(message)}});
            ++report_.messages;
            if (batch.size() == kBatch) {
                TRY_VOID(apply(batch));
                batch.clear();
            }
        }
        return apply(batch);
    }

    std::vector<Found> list(const std::string& folder) const {
        std::vector<Found> files;
        for (const char* directory : {"cur", "new"}) {
            const std::string relative = (folder.empty() ? "" : folder + '/') + directory;
            maildir::list_directory(mail_ + '/' + relative, [&](std::string_view name) {
                if (name.front() == '.') return true;
                Found found;
                found.path = relative + '/' + std::string(name);
                found.date = maildir::date_of(name).value_or(0);
                if (const auto own = maildir::parse_name(name)) found.uid = own->name.uid;
                files.push_back(std::move(found));
                return true;
            });
        }
        return files;
    }

    Outcome<MailboxId> mailbox_named(const MailboxName& name) {
        const auto existing = [&]() -> Outcome<MailboxId> {
            TRY(transaction, env_->read());
            TRY(value, transaction.get(databases_.names, name.utf8()));
            return MailboxId(value ? decode_u32(*value) : 0);
        };
        TRY(id, existing());
        if (id) return id;
        CreateMailbox create;
        create.name = name;
        create.subscribe = true;
        TRY_VOID(apply({Change{now_, create}}));
        return existing();
    }

    Outcome<void> apply(const std::vector<Change>& changes) {
        if (changes.empty()) return {};
        std::optional<Failure> failure;
        const auto done = env_->update([&](kv::WriteTransaction& transaction) -> Result<void> {
            for (const Change& change : changes) {
                commit::ApplyContext context({}, false);
                const auto result = Applier(transaction, databases_, account_, context).apply(change);
                if (!result) return to_error(result.error());
            }
            return {};
        });
        if (!done) return Failure(done.error());
        return {};
    }

    std::filesystem::path root_;
    AccountId account_;
    Time now_;
    std::string mail_;
    std::shared_ptr<kv::Env> env_;
    Databases databases_;
    RebuildReport report_;
};

}  // namespace

Outcome<RebuildReport> rebuild_index(const std::filesystem::path& root, AccountId account, Time now) {
    std::error_code error;
    if (!std::filesystem::is_directory(root / maildir::mail_path(account), error)) {
        return Failure(Fault::non_existent, "the account has no Maildir");
    }
    return Rebuild(root, account, now).run();
}

}  // namespace mailstead::store
