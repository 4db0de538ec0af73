#include "common/commit/holdings.h"

#include "common/base/bytes.h"

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
    return place;
}

Result<std::unique_ptr<Holding>> Holdings::open(const std::string& key) {
    TRY(owner, participant_of(key));
    TRY(place, locate(key));
    auto holding = std::make_unique<Holding>();
    holding->key = key;
    TRY(env, kv::Env::open(place.directory, place.options));
    holding->env = std::move(env);
    hold_.opened(key, holding->env);  // before attach() writes
    // Nothing in it waits for a checkpoint now, so this very state is durable, and attach() keeps it so.
    TRY(environment, owner.first->attach(owner.second, holding->env));
    holding->environment = std::move(environment);
    TRY(pin, holding->env->pin());
    holding->pin = std::move(pin);
    TRY(meta, holding->env->read_meta_pages());
    holding->meta = std::move(meta);
    TRY(stamp, read_stamp(*holding->env));
    holding->last_batch = stamp;
    holding->pages_at_checkpoint = holding->env->pages();
    return holding;
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
