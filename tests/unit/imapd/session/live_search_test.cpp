// What live searches tell, put together by a client, equals what a fresh search finds: after random changes
// of all kinds (RFC 5267, 4.3).
#include "imapd/commands/live_search.h"

#include <algorithm>
#include <charconv>
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {
namespace {

using List = std::vector<std::uint32_t>;

List expand(std::string_view set) {
    List list;
    while (!set.empty()) {
        const std::size_t comma = set.find(',');
        const std::string_view piece = set.substr(0, comma);
        set.remove_prefix(comma == std::string_view::npos ? set.size() : comma + 1);
        const std::size_t colon = piece.find(':');
        std::uint32_t first = 0;
        std::from_chars(piece.data(), piece.data() + piece.size(), first);
        std::uint32_t last = first;
        if (colon != std::string_view::npos)
            std::from_chars(piece.data() + colon + 1, piece.data() + piece.size(), last);
        EXPECT_LE(first, last) << piece;
        for (std::uint32_t n = first; n <= last; ++n) list.push_back(n);
    }
    return list;
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> list;
    std::string word;
    for (const char c : text) {
        if (c != ' ' && c != '(' && c != ')') {
            word += c;
        } else if (!word.empty()) {
            list.push_back(std::move(word));
            word.clear();
        }
    }
    if (!word.empty()) list.push_back(word);
    return list;
}

// A client that believes what it is told, and nothing else.
class Watcher {
public:
    explicit Watcher(TestServer& server) : server_(server), client_(server.connect(StartAt::login)) {}

    void send(std::string_view command) { tagged(command); }

    // The result of a searching command with RETURN (ALL).
    List ask(std::string_view command) {
        asked_.clear();
        tagged(command);
        return asked_;
    }
    void watch(const std::string& tag, std::string_view command, bool uid) {
        results_[tag] = {};
        uid_[tag] = uid;
        client_.send(tag + " " + std::string(command) + "\r\n");
        until(tag);
    }
    List result(const std::string& tag) const { return results_.at(tag); }

private:
    void tagged(std::string_view command) {
        const std::string tag = "x" + std::to_string(++count_);
        client_.send(tag + " " + std::string(command) + "\r\n");
        until(tag);
    }
    void until(const std::string& tag) {
        std::string line;
        do {
            ASSERT_TRUE(server_.read_line(client_, line)) << tag;
            take(line);
        } while (!line.starts_with(tag + " "));
        ASSERT_TRUE(line.starts_with(tag + " OK")) << line;
    }

    void take(std::string_view line) {
        if (line.ends_with(" EXPUNGE")) return expunge(words(line).at(1));
        if (!line.starts_with("* ESEARCH (TAG \"")) return;
        const std::vector<std::string> w = words(line);
        const std::string tag = w.at(3).substr(1, w[3].size() - 2);
        const bool live = results_.contains(tag);
        List& list = live ? results_[tag] : asked_;
        std::string what;
        for (std::size_t i = 4; i < w.size(); ++i) {
            if (w[i] == "UID") continue;
            if (w[i] == "MODSEQ") {
                ++i;
                continue;
            }
            if (w[i] == "ALL") {
                list = expand(w.at(++i));
            } else if (w[i] == "ADDTO" || w[i] == "REMOVEFROM") {
                what = w[i];
            } else {
                const auto place = static_cast<std::size_t>(std::stoul(w[i]));
                change(list, what, place, expand(w.at(++i)));
            }
        }
    }

    static void change(List& list, const std::string& what, std::size_t place, const List& numbers) {
        if (place == 0) {
            for (const std::uint32_t n : numbers) {
                const auto at = std::lower_bound(list.begin(), list.end(), n);
                if (what == "ADDTO") {
                    list.insert(at, n);
                } else {
                    ASSERT_TRUE(at != list.end() && *at == n) << "removes what is not there: " << n;
                    list.erase(at);
                }
            }
            return;
        }
        const auto at = static_cast<std::ptrdiff_t>(place) - 1;
        ASSERT_LE(static_cast<std::size_t>(at), list.size());
        if (what == "ADDTO") {
            list.insert(list.begin() + at, numbers.begin(), numbers.end());
            return;
        }
        ASSERT_LE(static_cast<std::size_t>(at) + numbers.size(), list.size());
        const auto end = at + static_cast<std::ptrdiff_t>(numbers.size());
        ASSERT_TRUE(std::equal(numbers.begin(), numbers.end(), list.begin() + at));
        list.erase(list.begin() + at, list.begin() + end);
    }

    // Lists of message numbers close up.
    void expunge(const std::string& written) {
        const auto gone = static_cast<std::uint32_t>(std::stoul(written));
        for (auto& [tag, list] : results_) {
            if (uid_[tag]) continue;
            for (std::uint32_t& n : list) {
                EXPECT_NE(n, gone) << tag << " lost a message without a word";
                if (n > gone) --n;
            }
        }
    }

    TestServer& server_;
    TestClient& client_;
    std::map<std::string, List> results_;
    std::map<std::string, bool> uid_;
    List asked_;
    int count_ = 0;
};

struct Watched {
    std::string command;  // without RETURN
    std::string program;
    bool uid;
};

class LiveSearchProperty : public testing::TestWithParam<unsigned> {};

TEST_P(LiveSearchProperty, UpdatesEqualAFreshSearch_Rfc5267_4_3) {
    std::mt19937 random(GetParam());
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    TestServer server;
    static constexpr std::string_view kSubjects[] = {"apple", "Re: apple", "banana", "cherry", "cherry pie"};
    int delivered = 0;
    const auto deliver = [&] {
        const std::string fields = "From: user" + std::to_string(below(4)) + "@x.example\r\nDate: Tue, " +
                                   std::to_string(1 + below(28)) + " Nov 2023 22:13:20 +0000\r\n";
        const std::string body = below(3) == 0 ? "a needle\r\n" : "hay\r\n";
        server.backend.account.deliver(store::make_message(kSubjects[below(5)], fields, body));
        server.backend.announce();
        ++delivered;
    };
    for (int i = 0; i < 12; ++i) deliver();
    Watcher watcher(server);
    Watcher other(server);
    watcher.send("SELECT INBOX");
    other.send("SELECT INBOX");
    const std::vector<Watched> watched = {
        {"SEARCH", "FLAGGED", true},
        {"SEARCH", "OR SEEN KEYWORD red", false},
        {"SEARCH", "UID 10:* NOT SEEN", true},
        {"SEARCH", "BODY needle UNDELETED", false},
        {"SORT", "(SUBJECT REVERSE DATE) UTF-8 UNSEEN", true},
        {"SORT", "(REVERSE FROM DATE) UTF-8 OR FLAGGED BODY needle", false},
        {"SORT", "(REVERSE SUBJECT) UTF-8 ALL", false},
        {"SEARCH", "UID *", true},
        {"SEARCH", "MODSEQ 1 NOT KEYWORD blue", true},
    };
    for (std::size_t i = 0; i < watched.size(); ++i) {
        const std::string verb = (watched[i].uid ? "UID " : "") + watched[i].command;
        watcher.watch("w" + std::to_string(i), verb + " RETURN (UPDATE ALL) " + watched[i].program,
                      watched[i].uid);
    }
    static constexpr std::string_view kFlags[] = {"\\Seen", "\\Flagged", "\\Deleted", "red", "blue"};
    for (int round = 0; round < 60; ++round) {
        Watcher& who = below(2) == 0 ? watcher : other;
        const std::string uids = std::to_string(1 + below(static_cast<unsigned>(delivered))) + ":" +
                                 std::to_string(1 + below(static_cast<unsigned>(delivered)));
        switch (below(5)) {
            case 0:
                for (unsigned n = below(3); n > 0; --n) deliver();
                break;
            case 1:
                if (below(3) == 0) who.send("EXPUNGE");
                break;
            case 2:
                if (below(2) == 0) {
                    // Only some of those that are deleted.
                    who.send("UID EXPUNGE " + uids);
                    break;
                }
                [[fallthrough]];
            default:
                who.send("UID STORE " + uids + (below(2) == 0 ? " +" : " -") + "FLAGS" +
                         (below(2) == 0 ? ".SILENT" : "") + " (" + std::string(kFlags[below(5)]) + ")");
                break;
        }
        if (below(3) != 0) continue;
        watcher.send("NOOP");
        for (std::size_t i = 0; i < watched.size(); ++i) {
            const std::string verb = (watched[i].uid ? "UID " : "") + watched[i].command;
            const List fresh = watcher.ask(verb + " RETURN (ALL) " + watched[i].program);
            ASSERT_EQ(watcher.result("w" + std::to_string(i)), fresh)
                << watched[i].program << " in round " << round;
        }
    }
}
INSTANTIATE_TEST_SUITE_P(Seeds, LiveSearchProperty, testing::Range(1u, 13u));

// A flag that goes and comes must not make the session grow.
TEST(ImapLiveOrder, RecordsAreReusedAndForgotten) {
    using commands::LiveOrder;
    using commands::SortKeys;
    SortKeys keys({{proto::SortKey::size}});
    store::MessageInfo message;
    for (std::uint32_t uid = 1; uid <= 3000; ++uid) {
        message.uid = Uid(uid);
        message.size = 10'000 - uid;
        keys.add<store::HeaderRecord>(message, nullptr, 1);
    }
    auto sorted = keys.sorted();
    LiveOrder order(std::move(keys), std::move(sorted));
    EXPECT_EQ(order.uids().front(), 3000u);
    const store::UidSet some({{10, 20}});
    for (int i = 0; i < 3; ++i) {
        const auto out = order.remove(some);
        ASSERT_EQ(out.size(), 1u);
        EXPECT_EQ(out[0].place, 2981u);
        EXPECT_EQ(out[0].uids.front(), 20u);
        EXPECT_TRUE(order.unknown(some).empty());
        const auto in = order.insert(some);
        ASSERT_EQ(in.size(), 1u);
        EXPECT_EQ(in[0].place, 2981u);
    }
    EXPECT_EQ(order.records(), 3000u);
    const store::UidSet most({{1, 2500}});
    order.remove(most);
    order.forget(most);
    EXPECT_EQ(order.records(), 500u);
    EXPECT_EQ(order.uids().size(), 500u);
    EXPECT_EQ(order.uids().front(), 3000u);
    EXPECT_EQ(order.uids().back(), 2501u);
}

}  // namespace
}  // namespace mailstead::imapd
