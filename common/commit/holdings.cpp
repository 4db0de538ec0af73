#include "common/commit/holdings.h"

#include <cerrno>

#include "common/base/bytes.h"
#include "common/base/clock.h"

namespace mailstead::commit {
namespace {

using namespace std::string_view_literals;
constexpr auto kStampKey = "\0batch"sv;  // no database has such a name

}  // namespace

Result<std::uint64_t> read_stamp(const kv::Env& env) {
    TRY(snapshot, env.read());
    TRY(stamp, snapshot.get(env.root_database(), kStampKey));
    if (!stamp) return std::uint64_t{0};
    return ByteReader(*stamp).fixed64();
}

Result<void> write_stamp(const kv::Env& env, kv::WriteTransaction& transaction, std::uint64_t batch) {
    ByteWriter stamp;
    stamp.fixed64(batch);
    TRY_VOID(transaction.put(env.root_database(), kStampKey, stamp.bytes()));
    return {};
}

Result<std::pair<Participant*, std::string>> Holdings::participant_of(const std::string& key) const {
    const std::size_t slash = key.find('/');
    const auto found = participants_.find(std::string_view(key).substr(0, slash));
    if (found == participants_.end()) return permanent_error("nobody owns " + key);
    return std::pair(found->second, slash == std::string::npos ? std::string() : key.substr(slash + 1));
}

Result<EnvironmentPlace> Holdings::locate(const std::string& key) const {
    TRY(owner, participant_of(key));
    TRY(place, owner.first->locate(owner.second));
    place.directory = options_.root / place.directory;
    place.options.access = kv::Access::engine_writer;
    place.options.must_exist = place.must_exist;
    return place;
}

Result<std::unique_ptr<Holding>> Holdings::open(const std::string& key) {
    TRY(owner, participant_of(key));
    TRY(place, locate(key));
    auto holding = std::make_unique<Holding>();
    holding->key = key;
    TRY_VOID(volumes_.add_environment(place.directory));
    TRY(env, kv::Env::open(place.directory, place.options));
    holding->env = std::move(env);
    if (holding->env->is_broken())
        return transient_error("the index of " + key + " refuses writes as long as anyone has it open");
    // Nothing in it waits for a checkpoint now, so this very state is durable. It is held before attach() may
    // write: recovery returns to it, and attaches again.
    hold_.opened(key, holding->env);  // as well
    TRY(pin, holding->env->pin());
    holding->pin = std::move(pin);
    TRY(meta, holding->env->read_meta_pages());
    holding->meta = std::move(meta);
    TRY(environment, owner.first->attach(owner.second, holding->env));
    holding->environment = std::move(environment);
    TRY(stamp, read_stamp(*holding->env));
    holding->last_batch = stamp;
    holding->pages_at_checkpoint = holding->env->pages();
    return holding;
}

bool Holdings::rebuild_finds_files(const std::string& key) const {
    const auto owner = participant_of(key);
    return owner && owner->first->rebuild_finds_files(owner->second);
}

OnDamage Holdings::on_damage(const std::string& key) const {
    const auto owner = participant_of(key);
    return owner ? owner->first->on_damage(owner->second) : OnDamage::set_aside;
}

Result<void> Holdings::begin_anew(FileLayer& files, const std::string& key) const {
    TRY(place, locate(key));
    // Within the folder: its parent may be beyond the sandbox.
    const auto aside = place.directory / ("damaged-" + std::to_string(now().time_since_epoch().count()));
    if (const int rc = make_directories(files, aside))
        return transient_error("cannot create " + aside.string() + ": " + errno_text(rc));
    for (const char* name : {"data.mdb", "lock.mdb"}) {
        const int rc = files.rename(place.directory / name, aside / name);
        if (rc != 0 && rc != ENOENT)
            return transient_error("cannot put " + (place.directory / name).string() +
                                   " aside: " + errno_text(rc));
    }
    return {};
}

void Holdings::put_out(const std::string& key, const Error& why) {
    close(key);
    out_.insert_or_assign(key, why);
}

void Holdings::take_in(const std::string& key) {
    out_.erase(key);
}

Holding* Holdings::find(const std::string& key) {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second->get();
}

Result<Holding*> Holdings::get(const std::string& key) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return found->second->get();
    }
    if (const auto out = out_.find(key); out != out_.end())
        return transient_error(key + " is out of service: " + out->second.what, Fault::set_aside);
    close_unused();
    TRY(holding, open(key));
    order_.push_front(std::move(holding));
    by_key_[key] = order_.begin();
    return order_.front().get();
}

void Holdings::close_unused() {
    for (auto at = order_.end(); by_key_.size() >= options_.max_open_environments && at != order_.begin();) {
        --at;
        if (!(*at)->is_clean()) continue;
        by_key_.erase((*at)->key);
        at = order_.erase(at);
    }
}

void Holdings::close(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    order_.erase(found->second);
    by_key_.erase(found);
}

void Holdings::close_all() {
    by_key_.clear();
    order_.clear();
}

}  // namespace mailstead::commit
