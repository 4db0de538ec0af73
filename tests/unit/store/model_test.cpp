// Random changes against a model of what IMAP says they do; everything is compared after each of them.
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

struct ModelMessage {
    std::string content;
    std::uint8_t flags = 0;
    std::set<std::string> keywords;
    std::uint64_t email = 0;
    std::uint64_t modseq = 0;
};
struct ModelMailbox {
    ModelMailbox() = default;
    explicit ModelMailbox(const MailboxInfo& info) : id(info.id.value), uidvalidity(info.uidvalidity.value) {}
    std::uint32_t id = 0;
    std::uint32_t uidvalidity = 0;
    std::uint32_t uidnext = 1;
    std::map<std::uint32_t, ModelMessage> messages;
    std::map<std::uint32_t, std::uint64_t> vanished;  // UID to mod-sequence
    std::map<std::pair<std::uint32_t, bool>, std::uint16_t> acl;
};

class Model {
public:
    explicit Model(std::uint32_t seed) : random_(seed) {
        account_.keep_history = true;
        account_.must<Done>(CreateAccount{});
        const Snapshot snapshot = account_.snapshot();
        for (const MailboxInfo& info : snapshot.mailboxes().value()) {
            mailboxes_[info.name.utf8()] = ModelMailbox(info);
        }
    }

    void step() {
        switch (pick(24)) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4:
                append();
                break;
            case 5:
            case 6:
            case 7:
            case 8:
                store();
                break;
            case 9:
            case 10:
                expunge();
                break;
            case 11:
            case 12:
                copy(false);
                break;
            case 13:
            case 14:
                copy(true);
                break;
            case 15:
                create();
                break;
            case 16:
                remove();
                break;
            case 17:
                rename();
                break;
            case 18:
                (void)account_.follower().follow(kAccount, 1 + pick(30)).value();
                break;
            case 20:
            case 21:
                replace();
                break;
            case 19:
                if (pick(4) == 0) account_.reopen();
                break;
            case 22:
            case 23:
                set_acl();
                break;
        }
    }

    void compare() {
        const Snapshot snapshot = account_.snapshot();
        const auto infos = snapshot.mailboxes().value();
        ASSERT_EQ(infos.size(), mailboxes_.size());
        keyword_names_ = snapshot.keywords().value();
        auto expected = mailboxes_.begin();
        for (const MailboxInfo& info : infos) {
            ASSERT_EQ(info.name.utf8(), expected->first);
            compare_mailbox(snapshot, info, expected->second);
            ++expected;
        }
        std::map<std::uint64_t, std::uint64_t> sizes;
        for (const auto& [unused, mailbox] : mailboxes_) {
            for (const auto& [uid, message] : mailbox.messages) sizes[message.email] = message.content.size();
        }
        std::uint64_t entries = 0;
        for (const auto& [unused, mailbox] : mailboxes_) entries += mailbox.messages.size();
        ASSERT_EQ(snapshot.account()->entries, entries);
        ASSERT_EQ(snapshot.account()->mailboxes, mailboxes_.size());
        // Deleted mailboxes are purged in the background; until then they count.
        if (!has_gone_) {
            std::uint64_t octets = 0;
            for (const auto& [email, size] : sizes) octets += size;
            ASSERT_EQ(snapshot.account()->octets, octets);
            ASSERT_EQ(snapshot.account()->messages, sizes.size());
        }
    }

    // All names on disk are what the index wants, every file is some message's, and contents are right.
    void settle() {
        account_.follow();
        has_gone_ = false;
        std::size_t count = 0;
        for (const auto& [unused, mailbox] : mailboxes_) {
            count += mailbox.messages.size();
            for (const auto& [uid, message] : mailbox.messages)
                ASSERT_EQ(account_.read(MailboxId(mailbox.id), Uid(uid)), message.content);
        }
        const auto files = account_.files();
        ASSERT_EQ(files.size(), count);
        for (const std::string& file : files) {
            const std::string leaf = file.substr(file.rfind('/') + 1);
            const auto parsed = maildir_flags(leaf);
            ASSERT_TRUE(parsed.has_value()) << file;
        }
        for (const auto& [mailbox_name, unused] : mailboxes_) {
            ASSERT_TRUE(mailbox_name == "INBOX" ||
                        std::filesystem::exists(account_.mail() / folder_of(mailbox_name) / "cur"))
                << mailbox_name;
        }
        compare();
    }

    // The same changes from the same start give the same index, byte for byte, and files for it: recovery
    // does nothing else.
    void replay() {
        TestAccount again;
        for (const TestAccount::Step& step : account_.history)
            ASSERT_TRUE(again.apply(step.change, step.files, true));
        ASSERT_EQ(again.dump(), account_.dump());
        for (const auto& [unused, mailbox] : mailboxes_) {
            for (const auto& [uid, message] : mailbox.messages)
                ASSERT_EQ(again.read(MailboxId(mailbox.id), Uid(uid)), message.content);
        }
        again.follow();
        for (const auto& [unused, mailbox] : mailboxes_) {
            for (const auto& [uid, message] : mailbox.messages)
                ASSERT_EQ(again.read(MailboxId(mailbox.id), Uid(uid)), message.content);
        }
    }

    void read_some() {
        for (const auto& [unused, mailbox] : mailboxes_) {
            for (const auto& [uid, message] : mailbox.messages) {
                if (pick(8) != 0) continue;
                ASSERT_EQ(account_.read(MailboxId(mailbox.id), Uid(uid)), message.content);
            }
        }
    }

private:
    std::uint32_t pick(std::size_t below) { return static_cast<std::uint32_t>(random_() % below); }

    static std::string folder_of(const std::string& mailbox_name) {
        std::string folder = "." + mailbox_name;
        std::replace(folder.begin() + 1, folder.end(), '/', '.');
        return folder;
    }
    // The flags in the name agree with some message; enough to see that names are well-formed.
    static std::optional<std::string> maildir_flags(const std::string& leaf) {
        if (leaf.find(".mailstead,S=") == std::string::npos) return std::nullopt;
        return leaf;
    }

    std::string& random_mailbox_name() {
        auto it = mailboxes_.begin();
        std::advance(it, pick(mailboxes_.size()));
        chosen_ = it->first;
        return chosen_;
    }
    ModelMailbox& at(const std::string& mailbox_name) { return mailboxes_.at(mailbox_name); }

    UidSet random_uids(const ModelMailbox& mailbox) {
        UidSet set;
        for (unsigned n = 1 + pick(3); n > 0; --n) {
            const std::uint32_t first = 1 + pick(mailbox.uidnext + 1);
            set.add(UidRange{first, first + pick(6)});
        }
        return pick(10) == 0 ? UidSet::all() : set;
    }
    FlagList random_flags() {
        FlagList list;
        list.system = SystemFlags::from_bits(static_cast<std::uint8_t>(pick(4) == 0 ? 0 : pick(32)));
        for (unsigned n = pick(3); n > 0; --n) list.keywords.push_back("kw" + std::to_string(pick(6)));
        return list;
    }
    static void put(ModelMailbox& mailbox, ModelMessage message, std::uint64_t modseq) {
        message.modseq = modseq;
        mailbox.messages[mailbox.uidnext++] = std::move(message);
    }

    void append() {
        const std::string to = random_mailbox_name();
        std::vector<std::string> files;
        for (unsigned n = 1 + pick(4); n > 0; --n)
            files.push_back(
                make_message("message " + std::to_string(++made_), "", std::string(pick(40), 'x')));
        const FlagList flags = random_flags();
        const auto result = account_.must<Appended>(append_to(name(to), files, flags), files);
        ModelMailbox& mailbox = at(to);
        EXPECT_EQ(
            result.uids,
            UidSet({{mailbox.uidnext, static_cast<std::uint32_t>(mailbox.uidnext + files.size() - 1)}}));
        std::uint64_t email = result.first_message.value;
        for (const std::string& file : files) {
            ModelMessage message{
                file, flags.system.bits(), {flags.keywords.begin(), flags.keywords.end()}, email++, 0};
            put(mailbox, std::move(message), result.modseq.value);
        }
    }

    void replace() {
        const std::string in = random_mailbox_name();
        const std::string to = random_mailbox_name();
        ModelMailbox& from = at(in);
        const Uid uid(1 + pick(from.uidnext));
        const std::vector<std::string> files = {make_message("replaced " + std::to_string(++made_))};
        const FlagList flags = random_flags();
        Replace action{append_to(name(to), files, flags), MailboxId(from.id), uid};
        if (!from.messages.contains(uid.value)) {
            EXPECT_EQ(account_.fault_of(action, files), Fault::gone);
            return;
        }
        const auto result = account_.must<Appended>(action, files);
        ModelMessage message{files.front(),
                             flags.system.bits(),
                             {flags.keywords.begin(), flags.keywords.end()},
                             result.first_message.value,
                             0};
        EXPECT_EQ(result.uids, UidSet::of({at(to).uidnext}));
        put(at(to), std::move(message), result.modseq.value);
        from.messages.erase(uid.value);
        from.vanished[uid.value] = result.modseq.value;
    }

    void store() {
        const std::string in = random_mailbox_name();
        ModelMailbox& mailbox = at(in);
        StoreFlags action{MailboxId(mailbox.id), random_uids(mailbox), static_cast<StoreFlags::How>(pick(3)),
                          random_flags(), std::nullopt};
        if (pick(4) == 0)
            action.unchanged_since = ModSeq(1 + pick(account_.snapshot().highest_modseq().value + 1));
        const auto result = account_.must<FlagsStored>(action);
        UidSet changed, failed;
        for (auto& [uid, message] : mailbox.messages) {
            if (!action.uids.contains(Uid(uid))) continue;
            if (action.unchanged_since && message.modseq > action.unchanged_since->value) {
                failed.add(Uid(uid));
                continue;
            }
            ModelMessage after = message;
            const std::set<std::string> by(action.flags.keywords.begin(), action.flags.keywords.end());
            const std::uint8_t bits = action.flags.system.bits();
            if (action.how == StoreFlags::How::add) {
                after.flags |= bits;
                after.keywords.insert(by.begin(), by.end());
            } else if (action.how == StoreFlags::How::remove) {
                after.flags = static_cast<std::uint8_t>(after.flags & ~bits);
                for (const std::string& keyword : by) after.keywords.erase(keyword);
            } else {
                after.flags = bits;
                after.keywords = by;
            }
            if (after.flags == message.flags && after.keywords == message.keywords) continue;
            after.modseq = result.modseq.value;
            message = after;
            changed.add(Uid(uid));
        }
        EXPECT_EQ(result.changed, changed);
        EXPECT_EQ(result.failed, failed);
    }

    void expunge() {
        const std::string in = random_mailbox_name();
        ModelMailbox& mailbox = at(in);
        Expunge action{MailboxId(mailbox.id), std::nullopt, pick(3) != 0};
        if (!action.only_deleted || pick(2) == 0) action.uids = random_uids(mailbox);
        const auto result = account_.must<Expunged>(action);
        UidSet gone;
        for (auto it = mailbox.messages.begin(); it != mailbox.messages.end();) {
            const bool hit = (!action.uids || action.uids->contains(Uid(it->first))) &&
                             (!action.only_deleted || (it->second.flags & 8) != 0);
            if (hit) {
                gone.add(Uid(it->first));
                mailbox.vanished[it->first] = result.modseq.value;
                it = mailbox.messages.erase(it);
            } else {
                ++it;
            }
        }
        EXPECT_EQ(result.uids, gone);
    }

    void copy(bool move) {
        const std::string from_name = random_mailbox_name();
        const std::string to_name = random_mailbox_name();
        ModelMailbox& from = at(from_name);
        ModelMailbox& to = at(to_name);
        const UidSet uids = random_uids(from);
        const auto result = account_.must<Copied>(Copy{MailboxId(from.id), uids, {name(to_name)}, move});
        std::vector<ModelMessage> taken;
        UidSet source;
        for (auto it = from.messages.begin(); it != from.messages.end();) {
            if (!uids.contains(Uid(it->first))) {
                ++it;
                continue;
            }
            source.add(Uid(it->first));
            taken.push_back(it->second);
            if (move) from.vanished[it->first] = result.modseq.value;
            it = move ? from.messages.erase(it) : std::next(it);
        }
        EXPECT_EQ(result.source, source);
        EXPECT_EQ(result.destination.count(), taken.size());
        EXPECT_EQ(result.destination.first(), Uid(taken.empty() ? 0 : to.uidnext));
        for (ModelMessage& message : taken) put(to, std::move(message), result.modseq.value);
    }

    std::string fresh_name() {
        std::string fresh = pick(3) == 0 ? random_mailbox_name() + "/" : std::string();
        if (std::count(fresh.begin(), fresh.end(), '/') > 3) fresh.clear();
        return fresh + "box" + std::to_string(pick(12));
    }

    void learn(const std::string& mailbox_name) {
        if (mailboxes_.contains(mailbox_name)) return;
        const MailboxInfo info = account_.info(mailbox_name);
        for (const auto& [unused, other] : mailboxes_) EXPECT_NE(other.uidvalidity, info.uidvalidity.value);
        ModelMailbox fresh(info);
        const std::size_t slash = mailbox_name.rfind('/');
        if (slash != std::string::npos) fresh.acl = at(mailbox_name.substr(0, slash)).acl;
        mailboxes_[mailbox_name] = std::move(fresh);
    }
    void set_acl() {
        ModelMailbox& mailbox = at(random_mailbox_name());
        SetAcl action{name(chosen_), AccountId(pick(4)), pick(4) == 0, static_cast<SetAcl::How>(pick(3)),
                      Rights::from_bits(static_cast<std::uint16_t>(pick(3) == 0 ? 0 : pick(2048)))};
        const auto result = account_.must<AclSet>(action);
        std::uint16_t& bits = mailbox.acl[{action.who.value, action.negative}];
        const std::uint16_t by = action.rights.bits();
        bits = static_cast<std::uint16_t>(action.how == SetAcl::How::add      ? bits | by
                                          : action.how == SetAcl::How::remove ? bits & ~by
                                                                              : by);
        if (bits == 0) mailbox.acl.erase({action.who.value, action.negative});
        bool granted = false;
        for (const auto& [unused, other] : mailboxes_)
            granted = granted || other.acl.contains({action.who.value, false});
        EXPECT_EQ(result.still_granted, granted);
    }
    void compare_acl(const Snapshot& snapshot, const MailboxInfo& info, const ModelMailbox& expected) {
        std::map<std::pair<std::uint32_t, bool>, std::uint16_t> list;
        for (const AclEntry& entry : snapshot.acl(info.id).value())
            list[{entry.who.value, entry.negative}] = entry.rights.bits();
        ASSERT_EQ(list, expected.acl);
        for (const std::uint32_t who : {1u, 2u, 3u}) {
            const auto line = [&](std::uint32_t account, bool negative) {
                const auto found = expected.acl.find({account, negative});
                return found == expected.acl.end() ? 0 : found->second;
            };
            ASSERT_EQ(snapshot.rights(info.id, AccountId(who)).value().bits(),
                      (line(who, false) | line(0, false)) & ~(line(who, true) | line(0, true)));
            const auto granted = snapshot.granted_to(AccountId(who)).value();
            ASSERT_EQ(std::count(granted.begin(), granted.end(), info.id),
                      (line(who, false) | line(0, false)) != 0 ? 1 : 0);
        }
    }
    void learn_parents(const std::string& mailbox_name) {
        for (std::size_t slash = mailbox_name.find('/'); slash != std::string::npos;
             slash = mailbox_name.find('/', slash + 1)) {
            learn(mailbox_name.substr(0, slash));
        }
    }

    void create() {
        const std::string fresh = fresh_name();
        if (mailboxes_.contains(fresh)) {
            EXPECT_EQ(account_.fault_of(CreateMailbox{name(fresh)}), Fault::already_exists);
            return;
        }
        account_.must<MailboxMade>(CreateMailbox{name(fresh)});
        learn_parents(fresh);
        learn(fresh);
    }

    bool has_children(const std::string& mailbox_name) const {
        const auto child = mailboxes_.lower_bound(mailbox_name + "/");
        return child != mailboxes_.end() && child->first.starts_with(mailbox_name + "/");
    }

    void remove() {
        const std::string victim = random_mailbox_name();
        if (victim == "INBOX") {
            EXPECT_EQ(account_.fault_of(DeleteMailbox{name(victim)}), Fault::cannot);
        } else if (has_children(victim)) {
            EXPECT_EQ(account_.fault_of(DeleteMailbox{name(victim)}), Fault::has_children);
        } else {
            account_.must<Done>(DeleteMailbox{name(victim)});
            mailboxes_.erase(victim);
            has_gone_ = true;
        }
    }

    void rename() {
        const std::string from = random_mailbox_name();
        const std::string to = fresh_name();
        if (mailboxes_.contains(to)) {
            EXPECT_EQ(account_.fault_of(RenameMailbox{name(from), name(to)}), Fault::already_exists);
            return;
        }
        if (from != "INBOX" && to.starts_with(from + "/")) {
            EXPECT_EQ(account_.fault_of(RenameMailbox{name(from), name(to)}), Fault::cannot);
            return;
        }
        account_.must<MailboxMade>(RenameMailbox{name(from), name(to)});
        if (from == "INBOX") {
            learn_parents(to);
            learn(to);
            const std::uint64_t modseq = account_.info(to).highestmodseq.value;
            for (auto& [uid, message] : at(from).messages) {
                put(at(to), message, modseq);
                at(from).vanished[uid] = modseq;
            }
            at(from).messages.clear();
            return;
        }
        std::map<std::string, ModelMailbox> moved;
        for (auto it = mailboxes_.begin(); it != mailboxes_.end();) {
            if (it->first != from && !it->first.starts_with(from + "/")) {
                ++it;
                continue;
            }
            moved[to + it->first.substr(from.size())] = std::move(it->second);
            it = mailboxes_.erase(it);
        }
        mailboxes_.merge(moved);
        learn_parents(to);
    }

    void compare_mailbox(const Snapshot& snapshot, const MailboxInfo& info, const ModelMailbox& expected) {
        ASSERT_EQ(info.id.value, expected.id);
        ASSERT_EQ(info.uidvalidity.value, expected.uidvalidity);
        ASSERT_EQ(info.uidnext.value, expected.uidnext);
        ASSERT_EQ(info.messages, expected.messages.size());
        UidSet uids, unseen, deleted;
        std::uint64_t octets = 0, deleted_octets = 0;
        for (const auto& [uid, message] : expected.messages) {
            uids.add(Uid(uid));
            octets += message.content.size();
            if ((message.flags & 1) == 0) unseen.add(Uid(uid));
            if ((message.flags & 8) != 0) {
                deleted.add(Uid(uid));
                deleted_octets += message.content.size();
            }
        }
        ASSERT_EQ(info.unseen, unseen.count());
        ASSERT_EQ(info.deleted, deleted.count());
        ASSERT_EQ(info.octets, octets);
        ASSERT_EQ(info.deleted_octets, deleted_octets);
        ASSERT_EQ(snapshot.uids(info.id).value(), uids);
        ASSERT_EQ(snapshot.unseen(info.id).value(), unseen);
        ASSERT_EQ(snapshot.deleted(info.id).value(), deleted);
        ASSERT_EQ(snapshot.first_unseen(info.id).value(),
                  unseen.empty() ? std::nullopt : std::optional(unseen.first()));
        compare_messages(snapshot, info, expected);
        compare_history(snapshot, info, expected);
        compare_acl(snapshot, info, expected);
    }

    void compare_messages(const Snapshot& snapshot, const MailboxInfo& info, const ModelMailbox& expected) {
        auto it = expected.messages.begin();
        const auto visit = [&](const MessageInfo& message) {
            EXPECT_NE(it, expected.messages.end());
            EXPECT_EQ(message.uid.value, it->first);
            EXPECT_EQ(message.message.value, it->second.email);
            EXPECT_EQ(message.modseq.value, it->second.modseq);
            EXPECT_EQ(message.flags.system.bits(), it->second.flags);
            EXPECT_EQ(message.size, it->second.content.size());
            std::set<std::string> keywords;
            message.flags.keywords.each([&](std::size_t bit) { keywords.insert(keyword_names_.at(bit)); });
            EXPECT_EQ(keywords, it->second.keywords);
            const auto cached = snapshot.cached(message.message);
            EXPECT_TRUE(cached && cached->header_size() <= message.size);
            ++it;
            return true;
        };
        ASSERT_TRUE(snapshot.messages(info.id, UidSet::all(), visit));
        ASSERT_EQ(it, expected.messages.end());
    }

    void compare_history(const Snapshot& snapshot, const MailboxInfo& info, const ModelMailbox& expected) {
        const std::uint64_t since = pick(snapshot.highest_modseq().value + 2);
        UidSet changed, vanished;
        for (const auto& [uid, message] : expected.messages) {
            if (message.modseq > since) changed.add(Uid(uid));
        }
        for (const auto& [uid, modseq] : expected.vanished) {
            if (modseq > since) vanished.add(Uid(uid));
        }
        UidSet seen;
        ASSERT_TRUE(
            snapshot.changed_since(info.id, ModSeq(since), UidSet::all(), [&](const MessageInfo& message) {
                EXPECT_FALSE(seen.contains(message.uid));
                seen.add(message.uid);
                return true;
            }));
        ASSERT_EQ(seen, changed);
        ASSERT_EQ(snapshot.vanished_since(info.id, ModSeq(since), UidSet::all()).value(), vanished);
    }

    TestAccount account_;
    std::mt19937 random_;
    std::map<std::string, ModelMailbox> mailboxes_;
    std::vector<std::string> keyword_names_;
    std::string chosen_;
    std::uint64_t made_ = 0;
    bool has_gone_ = false;
};

class ModelTest : public testing::TestWithParam<std::uint32_t> {};

TEST_P(ModelTest, ChangesDoWhatImapSays) {
    Model model(GetParam());
    for (int round = 0; round < 400; ++round) {
        SCOPED_TRACE(round);
        model.step();
        model.compare();
        if (round % 40 == 17) model.read_some();
        if (round % 100 == 99) model.settle();
        if (testing::Test::HasFailure()) return;
    }
    model.replay();
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, testing::Range(1u, 8u));

}  // namespace
}  // namespace mailstead::store
