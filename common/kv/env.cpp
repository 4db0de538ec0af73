#include "common/kv/env.h"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "common/base/file_descriptor.h"
#include "common/base/open_file.h"
#include "common/kv/env_state.h"

namespace mailstead::kv {
namespace {

constexpr std::size_t kIdleTransactions = 16;
constexpr auto kRemapPatience = std::chrono::seconds(5);

// One entry for each directory this process has open: LMDB's file locks are the process's, so a second open
// (and its close) would break the first.
struct Registry {
    std::mutex mutex;
    std::condition_variable closed;
    std::map<std::string, std::weak_ptr<EnvState>> open;
};

Registry& registry() {
    static auto* instance = new Registry;  // never destroyed: environments may outlive static objects
    return *instance;
}

std::string registry_key(const std::filesystem::path& directory) {
    std::error_code ignored;
    std::string key = std::filesystem::weakly_canonical(directory, ignored).string();
    return key.empty() ? directory.string() : key;
}

Result<void> sync_directory(const std::filesystem::path& directory) {
    const FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return transient_error("cannot sync " + directory.string());
    return {};
}

// Creates what is missing, each level durable in its parent before the next.
Result<void> make_directories(const std::filesystem::path& directory) {
    struct stat info {};
    if (::stat(directory.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode)) return {};
        return permanent_error(directory.string() + " is not a directory");
    }
    const std::filesystem::path parent = directory.has_parent_path() ? directory.parent_path() : ".";
    if (parent != directory) TRY_VOID(make_directories(parent));
    if (::mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST) {
        return transient_error("cannot create " + directory.string() + ": " +
                               std::system_category().message(errno));
    }
    return sync_directory(parent);
}

unsigned flags_for(Access access) {
    switch (access) {
        case Access::reader:
            return MDB_NOTLS | MDB_RDONLY;
        case Access::durable_writer:
            return MDB_NOTLS;
        case Access::engine_writer:
            return MDB_NOTLS | MDB_NOSYNC;
    }
    return MDB_NOTLS | MDB_RDONLY;
}

// Makes the unnamed database usable before any named one is opened.
Result<void> open_root(MDB_env* env) {
    MDB_txn* txn = nullptr;
    MDB_dbi root = 0;
    int rc = mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn);
    if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(env, 0)) == 0)
        rc = mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn);
    if (rc != 0) return lmdb_error(rc, "begin snapshot");
    rc = mdb_dbi_open(txn, nullptr, 0, &root);
    mdb_txn_abort(txn);
    if (rc != 0) return lmdb_error(rc, "open unnamed database");
    return {};
}

constexpr mode_t kDataMode = 0640;
constexpr mode_t kLockMode = 0660;
constexpr mode_t kModeBits = 07777;

std::string through_proc(const FileDescriptor& fd) {
    return "/proc/self/fd/" + std::to_string(fd.get());
}

// One of LMDB's files, as it must be before LMDB opens it by name: a file and no link, of the folder's group,
// and with `mode`. Only its owner can see to the latter. O_PATH, since closing anything else would take away
// the locks that this process may have on the file (fcntl(2)).
Result<void> settle_file(int folder, const char* name, gid_t group, mode_t mode, const std::string& where) {
    const FileDescriptor file(::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!file && errno == ENOENT) return {};
    if (!file || ::fstat(file.get(), &status) != 0)
        return transient_error(where + '/' + name + ": " + std::system_category().message(errno));
    if (!S_ISREG(status.st_mode)) return permanent_error(where + '/' + name + " is no file");
    if (status.st_uid != ::geteuid()) return {};
    // Not in that group: then the file is for its owner alone, as before.
    [[maybe_unused]] const int given =
        status.st_gid == group ? 0 : ::fchownat(file.get(), "", static_cast<uid_t>(-1), group, AT_EMPTY_PATH);
    if ((status.st_mode & kModeBits) != mode) (void)::chmod(through_proc(file).c_str(), mode);
    return {};
}

// Readers of other users write where they read into the lock file, and nothing into the data; so the two have
// different modes, and the owner makes the lock file, whoever comes first.
Result<void> settle_files(int folder, const std::string& where) {
    struct stat status {};
    if (::fstat(folder, &status) != 0) return transient_error("cannot look at " + where);
    if (status.st_uid == ::geteuid()) {
        const FileDescriptor made(
            ::openat(folder, "lock.mdb", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kLockMode));
    } else if (::faccessat(folder, "lock.mdb", F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
        // One that root made would keep the owner out.
        return transient_error(where + " has no lock.mdb, which its owner alone may make");
    }
    TRY_VOID(settle_file(folder, "lock.mdb", status.st_gid, kLockMode, where));
    return settle_file(folder, "data.mdb", status.st_gid, kDataMode, where);
}

// LMDB takes an empty file for a new one, and zeros for none of its own.
Result<void> make_anew_if_blank(int folder, const std::string& where) {
    const FileDescriptor file(::openat(folder, "data.mdb", O_RDWR | O_NOFOLLOW | O_CLOEXEC));
    if (!file || !is_blank(file.get()) || ::ftruncate(file.get(), 0) == 0) return {};
    return transient_error("cannot empty " + where + "/data.mdb: " + std::system_category().message(errno));
}

Result<std::shared_ptr<EnvState>> open_state(const std::filesystem::path& directory,
                                             const EnvOptions& options) {
    // LMDB opens its files by name; through the descriptor nothing above them can become a link meanwhile.
    const FileDescriptor folder = open_without_links(AT_FDCWD, directory.string(), O_RDONLY | O_DIRECTORY);
    if (!folder && errno == ELOOP)
        return permanent_error(directory.string() + " leads through a symbolic link");
    if (!folder) {
        const int code = errno;
        TRY_VOID(check_file(directory, options.must_exist));
        return lmdb_error(code, ("open " + directory.string()).c_str());
    }
    TRY_VOID(settle_files(folder.get(), directory.string()));
    if (options.blank_is_new && options.access != Access::reader)
        TRY_VOID(make_anew_if_blank(folder.get(), directory.string()));
    TRY_VOID(check_file(directory, options.must_exist));
    auto state = std::make_unique<EnvState>();
    state->directory = directory;
    state->access = options.access;
    if (const int rc = mdb_env_create(&state->env)) return lmdb_error(rc, "create environment");
    mdb_env_set_mapsize(state->env, static_cast<std::size_t>(options.map_size));
    mdb_env_set_maxdbs(state->env, options.max_databases);
    mdb_env_set_maxreaders(state->env, options.max_readers);
    const char* const name = permanent_text(std::filesystem::absolute(directory).string());
    mdb_env_set_userctx(state->env, const_cast<char*>(name));
    mdb_env_set_assert(state->env, &note_failed_assertion);
    note_use(name);
    if (const int rc =
            mdb_env_open(state->env, through_proc(folder).c_str(), flags_for(options.access), kDataMode))
        return lmdb_error(rc, ("open " + directory.string()).c_str());
    TRY_VOID(settle_files(folder.get(), directory.string()));  // those that are new
    // LMDB leaves its data descriptor open across exec.
    int fd = -1;
    if (mdb_env_get_fd(state->env, &fd) == 0) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    state->identity = FileIdentity::of(fd);
    int dead = 0;
    mdb_reader_check(state->env, &dead);
    TRY_VOID(open_root(state->env));
    return std::shared_ptr<EnvState>(state.release(), [](EnvState* last) {
        Registry& all = registry();
        const std::lock_guard lock(all.mutex);
        const std::string key = last->registry_key;
        delete last;
        // Another environment may have its place by now.
        const auto entry = all.open.find(key);
        if (entry != all.open.end() && entry->second.expired()) all.open.erase(entry);
        all.closed.notify_all();
    });
}

}  // namespace

bool is_open_here(const std::filesystem::path& directory) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    return all.open.contains(registry_key(directory));
}

std::string errno_text(int code) {
    return std::system_category().message(code);
}

Fault fault_of(int code) {
    switch (code) {
        case ENOSPC:
        case EDQUOT:
            return Fault::disk_full;
        case EIO:
        case EUCLEAN:
        case EBADMSG:
            return Fault::damaged;
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case EAGAIN:
        case MDB_READERS_FULL:
            return Fault::busy;
        default:
            return Fault::none;
    }
}

Error lmdb_error(int code, const char* doing) {
    std::string what = std::string("lmdb: ") + doing + ": " + mdb_strerror(code);
    switch (code) {
        case MDB_VERSION_MISMATCH:
        case MDB_INCOMPATIBLE:
        case MDB_BAD_VALSIZE:
            return permanent_error(std::move(what));
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
            return transient_error(std::move(what), Fault::damaged);
        default:
            return transient_error(std::move(what), fault_of(code));
    }
}

FileIdentity FileIdentity::of(const std::filesystem::path& file) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0) return {};
    return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size)};
}

FileIdentity FileIdentity::of(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return {};
    return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size)};
}

EnvState::~EnvState() {
    for (MDB_txn* txn : idle) mdb_txn_abort(txn);
    if (env != nullptr) mdb_env_close(env);
}

std::size_t EnvState::map_size() const {
    MDB_envinfo info{};
    mdb_env_info(env, &info);
    return info.me_mapsize;
}

Result<MDB_txn*> EnvState::begin_read() {
    for (int attempt = 0;; ++attempt) {
        {
            std::unique_lock lock(mutex);
            readers_gone.wait(lock, [this] { return !remapping; });
            MDB_txn* txn = nullptr;
            int rc = 0;
            if (idle.empty()) {
                rc = mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn);
            } else {
                txn = idle.back();
                idle.pop_back();
                rc = mdb_txn_renew(txn);
                if (rc != 0) mdb_txn_abort(txn);
            }
            if (rc == 0) {
                ++active_readers;
                return txn;
            }
            if (rc == MDB_READERS_FULL && attempt == 0) {
                int dead = 0;
                mdb_reader_check(env, &dead);
                continue;
            }
            if (rc != MDB_MAP_RESIZED || attempt > 3) return lmdb_error(rc, "begin snapshot");
        }
        TRY_VOID(remap(0));
    }
}

void EnvState::end_read(MDB_txn* txn) {
    const std::lock_guard lock(mutex);
    if (idle.size() < kIdleTransactions) {
        mdb_txn_reset(txn);
        idle.push_back(txn);
    } else {
        mdb_txn_abort(txn);
    }
    if (--active_readers == 0) readers_gone.notify_all();
}

Result<void> EnvState::remap(std::size_t size) {
    std::unique_lock lock(mutex);
    const auto deadline = std::chrono::steady_clock::now() + kRemapPatience;
    if (!readers_gone.wait_until(lock, deadline, [this] { return !remapping; })) {
        return transient_error("lmdb: the map is busy");
    }
    remapping = true;  // keeps new snapshots out, so that the old ones run dry
    const bool alone = readers_gone.wait_until(lock, deadline, [this] { return active_readers == 0; });
    const int rc = alone ? mdb_env_set_mapsize(env, size) : 0;
    remapping = false;
    readers_gone.notify_all();
    if (!alone) return transient_error("lmdb: snapshots are held too long to grow the map");
    if (rc != 0) return lmdb_error(rc, "grow the map");
    return {};
}

Result<std::shared_ptr<Env>> Env::open(const std::filesystem::path& directory, const EnvOptions& options) {
    if (options.access != Access::reader) TRY_VOID(make_directories(directory));
    const std::string key = registry_key(directory);

    Registry& all = registry();
    std::unique_lock lock(all.mutex);
    for (auto entry = all.open.find(key); entry != all.open.end(); entry = all.open.find(key)) {
        if (auto state = entry->second.lock()) {
            if (!state->identity.is_still(FileIdentity::of(directory / "data.mdb"))) break;
            if (options.access != Access::reader && options.access != state->access) {
                return permanent_error(directory.string() + " is open with another access in this process");
            }
            return std::shared_ptr<Env>(new Env(std::move(state)));
        }
        all.closed.wait(lock);  // its last owner is closing it
    }
    TRY(state, open_state(directory, options));
    state->registry_key = key;
    all.open.insert_or_assign(key, state);
    return std::shared_ptr<Env>(new Env(std::move(state)));
}

Env::~Env() = default;

Result<std::vector<Database>> Env::open_databases(std::initializer_list<std::string_view> names) {
    const std::lock_guard one_at_a_time(state_->opening);
    const bool writer = state_->access != Access::reader;
    const auto open_all = [&](MDB_txn* txn, unsigned flags, std::vector<Database>& databases) {
        for (const std::string_view name : names) {
            Database database;
            const int rc = mdb_dbi_open(txn, std::string(name).c_str(), flags, &database.handle);
            if (rc != 0) return rc;
            databases.push_back(database);
        }
        return 0;
    };
    std::vector<Database> databases;
    {
        TRY(txn, state_->begin_read());
        const int rc = open_all(txn, 0, databases);
        // The handles become the environment's own with a commit, in a reading transaction too.
        if (rc == 0) {
            const int committed = mdb_txn_commit(txn);
            {
                const std::lock_guard lock(state_->mutex);
                if (--state_->active_readers == 0) state_->readers_gone.notify_all();
            }
            if (committed != 0) return lmdb_error(committed, "open databases");
            return databases;
        }
        state_->end_read(txn);
        if (rc != MDB_NOTFOUND || !writer) return lmdb_error(rc, "open databases");
    }
    databases.clear();
    // Once in an environment's life, so durable also where commits usually are not: recovery relies on a
    // whole starting point.
    if (state_->access == Access::engine_writer) mdb_env_set_flags(state_->env, MDB_NOSYNC, 0);
    const auto create = [&]() -> Result<void> {
        MDB_txn* txn = nullptr;
        if (const int rc = mdb_txn_begin(state_->env, nullptr, 0, &txn))
            return lmdb_error(rc, "create databases");
        if (const int rc = open_all(txn, MDB_CREATE, databases)) {
            mdb_txn_abort(txn);
            return lmdb_error(rc, "create databases");
        }
        if (const int rc = mdb_txn_commit(txn)) return lmdb_error(rc, "create databases");
        return sync_directory(state_->directory);
    };
    const Result<void> created = create();
    if (state_->access == Access::engine_writer) mdb_env_set_flags(state_->env, MDB_NOSYNC, 1);
    if (!created) return created.error();
    return databases;
}

Result<Database> Env::open_database(std::string_view name) {
    TRY(databases, open_databases({name}));
    return databases.front();
}

Database Env::root_database() const {
    return Database{1};  // LMDB numbers the unnamed database so in every environment
}

Result<ReadTransaction> Env::read() const {
    TRY(txn, state_->begin_read());
    return ReadTransaction(state_, txn);
}

Result<WriteTransaction> Env::write() {
    for (int attempt = 0;; ++attempt) {
        MDB_txn* txn = nullptr;
        const int rc = mdb_txn_begin(state_->env, nullptr, 0, &txn);
        if (rc == 0) return WriteTransaction(state_, txn);
        if (rc == MDB_PANIC) state_->broken = true;
        if (rc != MDB_MAP_RESIZED || attempt > 3) return lmdb_error(rc, "begin write");
        TRY_VOID(state_->remap(0));
    }
}

Result<void> Env::update(const std::function<Result<void>(WriteTransaction&)>& work) {
    const bool flush = state_->access == Access::engine_writer;
    for (int attempt = 0;; ++attempt) {
        bool wants_growth = false;
        const auto attempt_once = [&]() -> Result<void> {
            TRY(transaction, write());
            Result<void> done = work(transaction);
            if (done) done = transaction.commit();
            wants_growth = transaction.wants_growth();
            return done;
        };
        if (flush) mdb_env_set_flags(state_->env, MDB_NOSYNC, 0);
        Result<void> done = attempt_once();
        if (flush) mdb_env_set_flags(state_->env, MDB_NOSYNC, 1);
        if (done || !wants_growth || attempt > 20) return done;
        TRY_VOID(grow());
    }
}

Result<void> Env::grow() {
    const std::size_t size = state_->map_size() * 2;
    if (size > kMostMapSize)
        return permanent_error("lmdb: " + directory().string() + " is as large as it may become");
    return state_->remap(size);
}

std::uint64_t Env::pages() const {
    MDB_envinfo info{};
    mdb_env_info(state_->env, &info);
    return info.me_last_pgno + 1;
}

std::size_t Env::page_size() const {
    MDB_stat stat{};
    mdb_env_stat(state_->env, &stat);
    return stat.ms_psize;
}

Result<Pin> Env::pin() const {
    for (int attempt = 0;; ++attempt) {
        int rc = 0;
        {
            std::unique_lock lock(state_->mutex);
            state_->readers_gone.wait(lock, [this] { return !state_->remapping; });
            MDB_txn* txn = nullptr;
            rc = mdb_txn_begin(state_->env, nullptr, MDB_RDONLY, &txn);
            if (rc == 0) return Pin(state_, txn);
            int dead = 0;
            if (rc == MDB_READERS_FULL) mdb_reader_check(state_->env, &dead);
        }
        if (attempt > 3) return lmdb_error(rc, "pin a snapshot");
        if (rc == MDB_MAP_RESIZED) {
            TRY_VOID(state_->remap(0));
        } else if (rc != MDB_READERS_FULL) {
            return lmdb_error(rc, "pin a snapshot");
        }
    }
}

Result<void> Env::sync() {
    if (const int rc = mdb_env_sync(state_->env, 1)) return lmdb_error(rc, "sync");
    return {};
}

void Env::clear_stale_readers() {
    int dead = 0;
    mdb_reader_check(state_->env, &dead);
}

bool Env::is_broken() const {
    return state_->broken;
}

bool Env::is_replaced() const {
    return !state_->identity.is_still(FileIdentity::of(state_->directory / "data.mdb"));
}

const std::filesystem::path& Env::directory() const {
    return state_->directory;
}

Access Env::access() const {
    return state_->access;
}

}  // namespace mailstead::kv
