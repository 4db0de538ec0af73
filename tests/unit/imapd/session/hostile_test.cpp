// Clients that break the grammar, say nothing, or take nothing: always an answer, never much memory.
#include <algorithm>
#include <malloc.h>

#include <gtest/gtest.h>

#include "imapd/proto/command.h"
#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {
namespace {

using proto::Verb;

// Required arguments of the verbs that have some. `twice`: the last may come twice.
struct Shape {
    std::string_view verb;
    std::vector<std::string> arguments;
    bool twice = false;
};
const std::vector<Shape>& shapes() {
    static const std::vector<Shape> all = {
        {"APPEND", {"INBOX", "{3+}\r\nabc"}, true},
        {"AUTHENTICATE", {"PLAIN"}},
        {"COMPRESS", {"DEFLATE"}},
        {"COPY", {"1", "Sent"}},
        {"CREATE", {"x"}},
        {"DELETE", {"x"}},
        {"ENABLE", {"CONDSTORE"}, true},
        {"EXAMINE", {"INBOX"}},
        {"FETCH", {"1", "FLAGS"}},
        {"GETQUOTA", {"\"\""}},
        {"GETQUOTAROOT", {"INBOX"}},
        {"ID", {"NIL"}},
        {"LIST", {"\"\"", "*"}},
        {"LOGIN", {"joe", "secret"}},
        {"LSUB", {"\"\"", "*"}},
        {"MOVE", {"1", "Sent"}},
        {"NOTIFY", {"SET", "(personal NONE)"}, true},
        {"RENAME", {"x", "y"}},
        {"SEARCH", {"ALL"}, true},
        {"SELECT", {"INBOX"}},
        {"STATUS", {"INBOX", "(MESSAGES)"}},
        {"STORE", {"1", "+FLAGS", "(\\Seen)"}},
        {"SUBSCRIBE", {"x"}},
        {"UID COPY", {"1", "Sent"}},
        {"UID EXPUNGE", {"1"}},
        {"UID FETCH", {"1", "FLAGS"}},
        {"UID MOVE", {"1", "Sent"}},
        {"UID SEARCH", {"ALL"}, true},
        {"UID STORE", {"1", "+FLAGS", "(\\Seen)"}},
        {"UIDBATCHES", {"500"}},
        {"UNSUBSCRIBE", {"x"}},
    };
    return all;
}

std::vector<std::string_view> all_verbs() {
    std::vector<std::string_view> names;
    for (int v = 0; v <= static_cast<int>(Verb::unsubscribe); ++v)
        names.push_back(proto::to_string(static_cast<Verb>(v)));
    return names;
}

class ImapHostile : public testing::Test {
protected:
    ImapHostile() {
        server.backend.account.deliver(store::make_message("one"));
        fresh();
    }
    // A session with INBOX selected.
    void fresh() {
        client = &server.connect(StartAt::login);
        said("s SELECT INBOX");
    }
    // The tagged answer to a command; what is untagged is passed over.
    std::string said(const std::string& command) {
        client->send(command + "\r\n");
        const std::string tag = command.substr(0, command.find(' ')) + " ";
        std::string line;
        while (server.read_line(*client, line)) {
            if (line.starts_with(tag)) return line;
        }
        return client->is_closed() ? "closed" : "nothing";
    }
    void expect_refused(const std::string& command) {
        const std::string shown = command.substr(0, 60);
        const std::string answer = said("x " + command);
        const bool refused = answer.starts_with("x BAD ") || answer.starts_with("x NO ");
        EXPECT_TRUE(refused) << shown << ": " << answer;
        EXPECT_GT(answer.size(), 8u) << shown << ": without a reason";
        EXPECT_TRUE(said("y NOOP").starts_with("y OK")) << "the session is gone after " << shown;
        EXPECT_EQ(client->received, "") << "more than one answer to " << shown;
    }

    TestServer server;
    TestClient* client = nullptr;
};

std::string command_of(const Shape& shape, const std::vector<std::string>& arguments) {
    std::string text(shape.verb);
    for (const std::string& argument : arguments) text += " " + argument;
    return text;
}

TEST_F(ImapHostile, EachArgumentMissingOrDoubledIsRefused) {
    for (const Shape& shape : shapes()) {
        for (std::size_t i = 0; i < shape.arguments.size(); ++i) {
            auto less = shape.arguments;
            less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
            expect_refused(command_of(shape, less));
            auto empty = shape.arguments;
            empty[i].clear();
            expect_refused(command_of(shape, empty));
            if (shape.twice && i + 1 == shape.arguments.size()) continue;
            auto more = shape.arguments;
            more.insert(more.begin() + static_cast<std::ptrdiff_t>(i), more[i]);
            expect_refused(command_of(shape, more));
        }
    }
}

TEST_F(ImapHostile, EachArgumentOversizedNestedOrCutIsRefused) {
    const auto before = mallinfo2();
    const std::string deep(10'000, '(');
    const std::string balanced = deep + std::string(10'000, ')');
    const std::string big(60'000, '9');
    const std::string quoted = "\"" + std::string(60'000, 'x') + "\"";
    for (const Shape& shape : shapes()) {
        if (shape.verb == "LOGIN" || shape.verb == "AUTHENTICATE") continue;  // refused for their state
        for (std::size_t i = 0; i < shape.arguments.size(); ++i) {
            for (const std::string& instead :
                 {deep, balanced, big, quoted, std::string("\"never closed"),
                  std::string("{1100000+}\r\n") + std::string(1'100'000, 'x'),
                  std::string("{99999999999999999999}"), std::string("{3}x"), std::string("\x80\xFF\x01")}) {
                // Any text may be looked for, enabled or listed.
                const bool free_text = shape.verb == "LIST" || shape.verb == "LSUB" ||
                                       shape.verb == "ENABLE" || shape.verb.ends_with("SEARCH");
                if (free_text && (instead == big || instead == quoted)) continue;
                if (free_text && instead.starts_with("\x80")) continue;
                auto changed = shape.arguments;
                changed[i] = instead;
                expect_refused(command_of(shape, changed));
            }
        }
    }
    const auto after = mallinfo2();
    EXPECT_LT(after.uordblks + after.hblkhd, before.uordblks + before.hblkhd + 4'000'000);
}

// Also of verbs that the table above does not know yet.
TEST_F(ImapHostile, EveryVerbWithGarbageBehindItIsRefused) {
    const std::string garbage[] = {std::string(10'000, '('), "\"", "(\"", "{5",
                                   std::string(1, '\0'),     ")",  "\\",  "(x"};
    for (const std::string_view verb : all_verbs()) {
        for (const std::string& tail : garbage) {
            expect_refused(std::string(verb) + " " + tail);
            expect_refused("UID " + std::string(verb) + " " + tail);
        }
        expect_refused(std::string(verb) + "\t1");
        expect_refused("UID UID " + std::string(verb));
    }
}

TEST_F(ImapHostile, EveryVerbBeforeTheLoginIsRefused) {
    for (const std::string_view verb : all_verbs()) {
        if (verb == "CAPABILITY" || verb == "NOOP" || verb == "LOGOUT" || verb == "ID") continue;
        server.backend.max_sessions = 1'000;
        client = &server.connect(StartAt::greeting);
        const auto shape =
            std::find_if(shapes().begin(), shapes().end(), [&](const Shape& s) { return s.verb == verb; });
        if (verb == "LOGIN" || verb == "AUTHENTICATE") continue;
        const std::string command =
            shape == shapes().end() ? std::string(verb) : command_of(*shape, shape->arguments);
        const std::string answer = said("x " + command);
        EXPECT_TRUE(answer.starts_with("x BAD ") || answer.starts_with("x NO ")) << command << ": " << answer;
        EXPECT_TRUE(said("y NOOP").starts_with("y OK")) << command;
    }
}

TEST_F(ImapHostile, LiteralThatNeverEndsIsGivenUpWithAReason) {
    server.timeouts.idle = net::Timeout(50);
    fresh();
    client->send("x CREATE {500000}\r\n");
    client->send(std::string(100'000, 'x'));
    server.run_until_closed(*client);
    EXPECT_TRUE(client->is_closed());
    EXPECT_NE(client->received.find("* BYE Idle for too long"), std::string::npos) << client->received;
}

TEST_F(ImapHostile, IdleClientsHearWhyTheyAreLeft) {
    server.timeouts.idle = net::Timeout(50);
    for (const char* const last : {"a NOOP", "a IDLE", "a NOTIFY SET (personal NONE)"}) {
        fresh();
        client->send(std::string(last) + "\r\n");
        server.run_until_closed(*client);
        EXPECT_TRUE(client->is_closed()) << last;
        EXPECT_NE(client->received.find("* BYE Idle for too long"), std::string::npos) << last;
    }
    server.timeouts.login = net::Timeout(50);
    client = &server.connect(StartAt::greeting);
    server.run_until_closed(*client);
    EXPECT_NE(client->received.find("* BYE Too long without a login"), std::string::npos) << client->received;
}

TEST_F(ImapHostile, EverybodyHearsThatTheServerStops) {
    std::vector<TestClient*> clients;
    for (const char* const last :
         {"a NOOP\r\n", "a IDLE\r\n", "a NOTIFY SET (personal NONE)\r\n", "a SEL", "a CREATE {5}\r\n"}) {
        fresh();
        client->send(last);
        clients.push_back(client);
    }
    clients.push_back(&server.connect(StartAt::greeting));
    server.settle();
    server.request_stop();
    for (TestClient* const each : clients) {
        server.run_until_closed(*each);
        EXPECT_TRUE(each->is_closed());
        EXPECT_TRUE(each->received.ends_with("* BYE [UNAVAILABLE] Server is stopping\r\n")) << each->received;
    }
}

// RFC 5465, 9 warns of it: who takes nothing is left, and costs little until then.
TEST_F(ImapHostile, ClientThatNeverReadsIsBoundedAndLeft) {
    server.timeouts.write = net::Timeout(100);
    for (int i = 0; i < 400; ++i)
        server.backend.account.deliver(store::make_message("big", "", std::string(20'000, 'x') + "\r\n"));
    for (const char* const flood : {"a FETCH 1:* BODY.PEEK[]\r\n", "a FETCH 1:* (ENVELOPE BODYSTRUCTURE)\r\n",
                                    "a NOOP\r\n", "a LIST \"\" *\r\n", "a LOGIN {99999999}\r\n"}) {
        fresh();
        client->deaf = true;
        const std::size_t left_open = server.sessions() - 1;
        const auto before = mallinfo2();
        std::string commands;
        while (commands.size() < 1'000'000) commands += flood;
        client->send(commands);
        std::size_t most = 0;
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (server.sessions() > left_open && std::chrono::steady_clock::now() < end) {
            server.run_for_a_moment();
            client->pump();
            const auto now = mallinfo2();
            most = std::max<std::size_t>(
                most, now.uordblks + now.hblkhd -
                          std::min(now.uordblks + now.hblkhd, before.uordblks + before.hblkhd));
        }
        EXPECT_EQ(server.sessions(), left_open) << flood;
        EXPECT_LT(most, commands.size() * 2 + 3'000'000) << flood;
    }
}

}  // namespace
}  // namespace mailstead::imapd
