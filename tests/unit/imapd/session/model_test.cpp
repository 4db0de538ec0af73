// A hundred sessions change one mailbox at random; each must see it as it is, by the answers it was given.
#include <map>
#include <optional>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "imapd/session/selected.h"
#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {
namespace {

using Flags = std::set<std::string>;

Flags split_flags(std::string_view list) {
    Flags flags;
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(' '), list.size());
        if (end != 0) flags.emplace(list.substr(0, end));
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return flags;
}

// What a client knows from answers alone: by number, or by UID when it has enabled QRESYNC.
class Mirror {
public:
    Mirror(TestServer& server, bool qresync)
        : server_(server), client_(server.connect(StartAt::login)), qresync_(qresync) {
        if (qresync_) command("ENABLE QRESYNC");
        command("SELECT INBOX");
    }

    bool idling() const { return idling_; }
    std::size_t count() const { return qresync_ ? by_uid_.size() + unknown_ : by_number_.size(); }

    void command(const std::string& text, bool uses_numbers = false) {
        const std::string tag = "t" + std::to_string(++tags_);
        numbers_in_use_ = uses_numbers;
        client_.send(tag + " " + text + "\r\n");
        std::string line;
        while (server_.read_line(client_, line) && !line.starts_with(tag + " ")) take(line);
        EXPECT_TRUE(line.starts_with(tag + " OK")) << text << ": " << line;
        numbers_in_use_ = false;
    }
    void idle() {
        idling_ = true;
        client_.send("i IDLE\r\n");
        std::string line;
        while (server_.read_line(client_, line) && line != "+ Idling") take(line);
    }
    void done() {
        idling_ = false;
        client_.send("DONE\r\n");
        std::string line;
        while (server_.read_line(client_, line) && !line.starts_with("i OK")) take(line);
    }

    void expect(const std::map<std::uint32_t, Flags>& truth) const {
        ASSERT_EQ(count(), truth.size());
        if (qresync_) {
            for (const auto& [uid, flags] : by_uid_) {
                ASSERT_TRUE(truth.count(uid)) << uid;
                ASSERT_EQ(flags, truth.at(uid)) << uid;
            }
            return;
        }
        auto at = truth.begin();
        for (const auto& known : by_number_) {
            if (known) {
                ASSERT_EQ(known->first, at->first);
                ASSERT_EQ(known->second, at->second) << at->first;
            }
            ++at;
        }
    }

private:
    using Known = std::optional<std::pair<std::uint32_t, Flags>>;

    void take(const std::string& line) {
        if (line.starts_with("* VANISHED ")) return vanish(line.substr(11));
        const std::size_t space = line.find(' ', 2);
        if (space == std::string::npos || std::isdigit(static_cast<unsigned char>(line[2])) == 0) return;
        const std::size_t number = std::stoul(line.substr(2));
        const std::string what = line.substr(space + 1);
        if (what == "EXISTS") {
            ASSERT_GE(number, count());
            unknown_ += qresync_ ? number - count() : 0;
            if (!qresync_) by_number_.resize(number);
        } else if (what == "EXPUNGE") {
            ASSERT_FALSE(numbers_in_use_) << "numbers shifted during FETCH, STORE or SEARCH";
            ASSERT_FALSE(qresync_);
            ASSERT_TRUE(number >= 1 && number <= by_number_.size());
            by_number_.erase(by_number_.begin() + static_cast<std::ptrdiff_t>(number - 1));
        } else if (what.starts_with("FETCH (UID ")) {
            fetched(number, what);
        }
    }

    void fetched(std::size_t number, const std::string& what) {
        const auto uid = static_cast<std::uint32_t>(std::stoul(what.substr(11)));
        const std::size_t open = what.find("FLAGS (");
        if (open == std::string::npos) return;
        const Flags flags =
            split_flags(std::string_view(what).substr(open + 7, what.find(')', open) - open - 7));
        if (qresync_) {
            if (by_uid_.count(uid) == 0) {
                ASSERT_GT(unknown_, 0u) << uid;
                --unknown_;
            }
            by_uid_[uid] = flags;
            return;
        }
        ASSERT_LE(number, by_number_.size());
        Known& known = by_number_[number - 1];
        ASSERT_TRUE(!known || known->first == uid) << "number " << number;
        known = std::pair(uid, flags);
    }

    void vanish(const std::string& set) {
        ASSERT_TRUE(qresync_);
        for (std::size_t at = 0; at < set.size();) {
            const std::size_t end = std::min(set.find(',', at), set.size());
            const std::string range = set.substr(at, end - at);
            const std::size_t colon = range.find(':');
            const auto first = static_cast<std::uint32_t>(std::stoul(range));
            const auto last = colon == std::string::npos
                                  ? first
                                  : static_cast<std::uint32_t>(std::stoul(range.substr(colon + 1)));
            for (std::uint32_t uid = first; uid <= last; ++uid) {
                if (by_uid_.erase(uid) != 0) continue;
                ASSERT_GT(unknown_, 0u) << uid;
                --unknown_;
            }
            at = end + 1;
        }
    }

    TestServer& server_;
    TestClient& client_;
    const bool qresync_;
    std::vector<Known> by_number_;
    std::map<std::uint32_t, Flags> by_uid_;
    std::size_t unknown_ = 0;
    bool numbers_in_use_ = false;
    bool idling_ = false;
    int tags_ = 0;
};

std::map<std::uint32_t, Flags> truth_of(TestServer& server) {
    std::map<std::uint32_t, Flags> truth;
    const auto now = server.backend.account.snapshot();
    const auto names = now.keywords();
    const MailboxId inbox = now.find(store::name("INBOX"))->id;
    (void)now.messages(inbox, store::UidSet::all(), [&](const store::MessageInfo& message) {
        std::string list;
        write_flag_list(list, message.flags, *names);
        truth[message.uid.value] = split_flags(std::string_view(list).substr(1, list.size() - 2));
        return true;
    });
    return truth;
}

TEST(ImapModel, AHundredSessionsStayInStep) {
    TestServer server;
    server.backend.max_sessions = 200;
    server.backend.account.write_files = false;
    std::mt19937 random(20'061'122);
    const auto pick = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
    for (int i = 0; i < 30; ++i) server.backend.account.deliver(store::make_message("n"));
    std::vector<std::unique_ptr<Mirror>> mirrors;
    for (std::size_t i = 0; i < 100; ++i) mirrors.push_back(std::make_unique<Mirror>(server, i % 4 == 0));

    const std::string flags[] = {"\\Seen", "\\Flagged", "\\Deleted", "\\Deleted", "work", "$Junk"};
    for (int step = 0; step < 600 && !testing::Test::HasFatalFailure(); ++step) {
        Mirror& one = *mirrors[pick(mirrors.size())];
        if (one.idling()) {
            one.done();
            continue;
        }
        const std::string number = std::to_string(1 + pick(std::max<std::size_t>(one.count(), 1)));
        switch (one.count() == 0 ? 8 : pick(11)) {
            case 0:
            case 1:
            case 2:
                one.command(
                    "STORE " + number + (pick(3) == 0 ? " -" : " +") + "FLAGS (" + flags[pick(6)] + ")",
                    true);
                break;
            case 3:
                one.command("FETCH " + number + ":* (UID FLAGS)", true);
                break;
            case 4:
                one.command("SEARCH SEEN", true);
                break;
            case 5:
                one.command("UID FETCH 1:* FLAGS");
                break;
            case 6:
                one.command("NOOP");
                break;
            case 7:
                if (pick(3) == 0) one.command("EXPUNGE");
                break;
            case 8:
                one.command("APPEND INBOX {14+}\r\nSubject: x\r\n\r\n");
                break;
            case 9:
                one.command("MOVE " + number + (pick(2) == 0 ? " Trash" : " INBOX"));
                break;
            default:
                one.idle();
        }
    }
    const auto truth = truth_of(server);
    for (const auto& mirror : mirrors) {
        if (mirror->idling()) mirror->done();
        mirror->command("NOOP");
        mirror->expect(truth);
        mirror->command("UID FETCH 1:* FLAGS");
        mirror->expect(truth);
        if (testing::Test::HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace mailstead::imapd
