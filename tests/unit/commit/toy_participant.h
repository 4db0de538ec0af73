// A participant as small as it can be: numbered entries, each with a token and perhaps a message file.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/commit/engine.h"
#include "common/kv/keys.h"

namespace mailstead::commit::testing {

using kv::Key;

// Changes are words: "add TOKEN [file]" answers the entry's number; "move TOKEN FOLDER"; "erase TOKEN";
// "refuse"; "spoil" (writes, then refuses); "fill BYTES" ; "copy TOKEN NEWTOKEN".
class ToyEnvironment : public Environment {
public:
    ToyEnvironment(std::string name, std::shared_ptr<kv::Env> env, std::vector<kv::Database> databases)
        : name_(std::move(name)), env_(std::move(env)), entries_(databases[0]), tokens_(databases[1]) {}

    Result<std::string> apply(kv::WriteTransaction& transaction, std::string_view change,
                              ApplyContext& context) override {
        std::vector<std::string> words;
        for (std::size_t at = 0; at < change.size();) {
            const std::size_t end = std::min(change.find(' ', at), change.size());
            words.emplace_back(change.substr(at, end - at));
            at = end + 1;
        }
        if (words[0] == "add") return add(transaction, words, context);
        if (words[0] == "refuse") return permanent_error("refused");
        if (words[0] == "spoil") {
            TRY_VOID(transaction.put(entries_, Key().u32(0xffffffff), "spoiled"));
            return permanent_error("spoiled");
        }
        if (words[0] == "fill") {
            TRY_VOID(
                transaction.put(entries_, Key().u32(0xfffffffe), std::string(std::stoul(words[1]), 'f')));
            return std::string("filled");
        }
        if (words[0] == "nothing") return std::string("done");
        TRY(where, transaction.get(tokens_, words[1]));
        if (!where) return permanent_error("no such token");
        const std::string number(where->substr(0, 4));
        const std::string path(where->substr(4));
        if (words[0] == "move") {
            const std::string to = folder() + words[2] + "/" + words[1];
            TRY_VOID(transaction.put(tokens_, words[1], number + to));
            context.rename_after_commit(path, to);
            return std::string("moved");
        }
        if (words[0] == "copy") {
            const std::string to = folder() + "new/" + words[2];
            TRY_VOID(transaction.put(tokens_, words[2], number + to));
            context.link_path(path, to);
            return std::string("copied");
        }
        if (words[0] == "erase") {
            TRY_VOID(transaction.erase(tokens_, words[1]));
            TRY_VOID(transaction.erase(entries_, number));
            context.remove_after_commit(path);
            return std::string("erased");
        }
        return permanent_error("what?");
    }
    void after_commit() override { ++commits; }
    void after_undo() override { ++undos; }

    std::string folder() const { return "accounts/" + name_ + "/mail/"; }

    int commits = 0;
    int undos = 0;

private:
    Result<std::string> add(kv::WriteTransaction& transaction, const std::vector<std::string>& words,
                            ApplyContext& context) {
        auto cursor = *kv::Cursor::open(transaction, entries_);
        TRY(found, cursor.seek_back(Key().u32(0xfffffff0)));
        const std::uint32_t number = found ? kv::KeyReader(cursor.key()).u32() + 1 : 1;
        const Key key = Key().u32(number);
        std::string path;
        if (words.size() > 2) {
            path = folder() + "new/" + words[1];
            context.link_file(std::stoul(words[2]), path);
        }
        TRY_VOID(transaction.put(entries_, key, words[1]));
        TRY_VOID(transaction.put(tokens_, words[1], std::string(key.view()) + path));
        return std::to_string(number);
    }

    std::string name_;
    std::shared_ptr<kv::Env> env_;
    kv::Database entries_;
    kv::Database tokens_;
};

// A record that each attach() writes anew: recovery has to bear that.
inline constexpr std::uint32_t kAttached = 0xfffffffd;

class ToyParticipant : public Participant {
public:
    Result<EnvironmentPlace> locate(std::string_view name) override {
        if (name == "unknown" || gone.contains(std::string(name))) return permanent_error("no such account");
        EnvironmentPlace place;
        place.directory = "accounts/" + std::string(name) + "/index";
        place.options.map_size = map_size;
        return place;
    }
    Result<std::unique_ptr<Environment>> attach(std::string_view name,
                                                std::shared_ptr<kv::Env> env) override {
        const std::uint64_t before = env->read()->id();
        TRY(databases, env->open_databases({"entries", "tokens"}));
        TRY_VOID(env->update([&](kv::WriteTransaction& transaction) -> Result<void> {
            TRY_VOID(transaction.put(databases[0], Key().u32(kAttached), std::to_string(before)));
            return {};
        }));
        if (on_created && env->read()->id() != before) on_created(env->directory());
        return std::unique_ptr<Environment>(
            new ToyEnvironment(std::string(name), std::move(env), std::move(databases)));
    }
    OnDamage on_damage(std::string_view) override { return when_damaged; }
    OnDamage when_damaged = OnDamage::set_aside;
    std::uint64_t map_size = std::uint64_t{1} << 30;
    std::set<std::string> gone;  // accounts which their owner deleted
    std::function<void(const std::filesystem::path&)>
        on_created;  // LMDB has synced the environment by itself
};

// What an account holds: number -> token, and token -> path.
struct ToyContent {
    std::map<std::uint32_t, std::string> entries;
    std::map<std::string, std::string> paths;
    friend bool operator==(const ToyContent&, const ToyContent&) = default;
};

inline ToyContent toy_content(const std::filesystem::path& root, const std::string& account) {
    ToyContent content;
    auto env = kv::Env::open(root / "accounts" / account / "index", kv::EnvOptions{});
    if (!env) return content;
    const auto databases = *(*env)->open_databases({"entries", "tokens"});
    const auto snapshot = *(*env)->read();
    auto cursor = *kv::Cursor::open(snapshot, databases[0]);
    for (bool more = *cursor.first(); more; more = *cursor.next()) {
        const std::uint32_t number = kv::KeyReader(cursor.key()).u32();
        if (number != kAttached) content.entries[number] = std::string(cursor.value());
    }
    auto tokens = *kv::Cursor::open(snapshot, databases[1]);
    for (bool more = *tokens.first(); more; more = *tokens.next()) {
        content.paths[std::string(tokens.key())] = std::string(tokens.value().substr(4));
    }
    return content;
}

}  // namespace mailstead::commit::testing
