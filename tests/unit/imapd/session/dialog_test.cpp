// Runs the scripts of tests/dialogs/imap and tests/dialogs/pop3.
//
//   # a comment
//   @greeting             sessions begin before login (otherwise joe is logged in)
//   @pop3                 sessions of POP3, from the greeting on
//   @sessions N           the account may have N sessions
//   @needs-tls            the same on a listener that allows passwords only under TLS
//   @quota N              the account may hold N octets
//   @limits N M           and M messages and mailboxes
//   @admin                the account may set quotas
//   @hide NAME            a capability hidden from the account
//   @account ADDRESS      another account of the server
//   @client N ADDRESS     the client N is its owner
//   @message-limit N, @save-limit N, @watch-limit N   the server's limits
//   @progress MS          how often a long command says how far it is
//   @annotate MAILBOX ENTRY [VALUE]   somebody sets an annotation; "-" stands for the account
//   @message MAILBOX      the following lines up to "." are delivered as one message
//   @annotation NAME VAL  an annotation of the account, kept already
//   @away, @back          deliver is away, and back
//   C: text               the first client sends a line; C2: the second one, and so on
//   C- text               the same without CRLF; \r \n \\ \0 are understood
//   S: pattern            the next line must match; "…" stands for anything
//   S.. pattern           lines are skipped up to one that matches
//   S0                    nothing more has come; S2- to the second client
//   SX                    the server has closed the connection
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/support/dialog_text.h"
#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {
namespace {

constexpr std::string_view kAnything = "…";

bool matches(std::string_view pattern, std::string_view text) {
    const std::size_t gap = pattern.find(kAnything);
    if (gap == std::string_view::npos) return pattern == text;
    if (text.substr(0, gap) != pattern.substr(0, gap)) return false;
    const std::string_view rest = pattern.substr(gap + kAnything.size());
    for (std::size_t at = gap; at <= text.size(); ++at) {
        if (matches(rest, text.substr(at))) return true;
    }
    return false;
}

// How the client's bytes are cut into packets. What it sends at once is cut, not what it sends after having
// waited for an answer.
struct Cut {
    std::size_t at = 0;  // 0: not at all
    bool bytewise = false;
};

class Dialog {
public:
    explicit Dialog(Cut cut = {}) : cut_(cut) {}
    // Every line that came, without the numbers that the clock has a part in.
    const std::string& transcript() const { return transcript_; }
    std::size_t longest_sent() const { return longest_sent_; }

    void run(const std::filesystem::path& file) {
        std::ifstream in(file);
        std::string line;
        for (number_ = 1; std::getline(in, line); ++number_) {
            if (line.empty() || line.front() == '#') continue;
            const std::size_t space = line.find(' ');
            const std::string verb = line.substr(0, space);
            const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
            SCOPED_TRACE(file.filename().string() + ":" + std::to_string(number_) + ": " + line);
            if (verb.front() == '@') {
                direct(verb, rest, in);
            } else {
                speak(verb, rest);
            }
            if (testing::Test::HasFatalFailure()) return;
        }
    }

private:
    void direct(const std::string& verb, const std::string& rest, std::ifstream& in) {
        if (verb == "@greeting") {
            start_ = StartAt::greeting;
        } else if (verb == "@pop3") {
            start_ = StartAt::pop3;
        } else if (verb == "@sessions") {
            server_.backend.max_sessions = std::stoul(rest);
        } else if (verb == "@needs-tls") {
            if (start_ == StartAt::login) start_ = StartAt::greeting;
            server_.facts.encryption = Encryption::starttls;
        } else if (verb == "@quota") {
            store::SetQuota quota;
            quota.octets = std::stoull(rest);
            server_.backend.account.must<store::Done>(quota);
        } else if (verb == "@limits") {
            store::SetQuota quota;
            quota.messages = std::stoull(rest);
            quota.mailboxes = std::stoull(rest.substr(rest.find(' ') + 1));
            server_.backend.account.must<store::Done>(quota);
        } else if (verb == "@admin") {
            server_.backend.admin = true;
        } else if (verb == "@hide") {
            server_.backend.hidden.push_back(rest);
        } else if (verb == "@message-limit") {
            server_.backend.most_messages = static_cast<std::uint32_t>(std::stoul(rest));
        } else if (verb == "@save-limit") {
            server_.backend.most_saved = static_cast<std::uint32_t>(std::stoul(rest));
        } else if (verb == "@watch-limit") {
            server_.backend.most_watched = std::stoul(rest);
        } else if (verb == "@progress") {
            server_.backend.progress = std::chrono::milliseconds(std::stol(rest));
        } else if (verb == "@annotate") {
            annotate(rest);
        } else if (verb == "@annotation") {
            store::SetMetadata change;
            const std::size_t space = rest.find(' ');
            change.entries.push_back({rest.substr(0, space), rest.substr(space + 1)});
            server_.backend.account.must<store::MetadataSet>(change);
        } else if (verb == "@away" || verb == "@back") {
            server_.backend.deliver_is_away = verb == "@away";
        } else if (verb == "@account") {
            server_.backend.add_account(rest);
        } else if (verb == "@client") {
            const std::size_t space = rest.find(' ');
            logins_[std::stoul(rest.substr(0, space))] = rest.substr(space + 1);
        } else if (verb == "@message") {
            std::string message, line;
            for (++number_; std::getline(in, line) && line != "."; ++number_) message += line + "\r\n";
            ++number_;
            server_.backend.account.deliver(message, rest);
            server_.backend.announce();
        } else {
            FAIL() << "unknown directive";
        }
    }

    void annotate(const std::string& rest) {
        std::istringstream words(rest);
        std::string mailbox, value;
        store::SetMetadata::Entry entry;
        words >> mailbox >> entry.name;
        if (words >> value) entry.value = value;
        store::SetMetadata change;
        if (mailbox != "-") change.mailbox = store::name(mailbox);
        change.entries.push_back(entry);
        server_.backend.account.must<store::MetadataSet>(change);
        server_.backend.announce();
    }

    void send(TestClient& client, const std::string& bytes) {
        longest_sent_ = std::max(longest_sent_, bytes.size());
        const std::size_t first = cut_.bytewise ? 1 : cut_.at;
        std::size_t done = 0;
        for (std::size_t next = first; next != 0 && next < bytes.size();
             next += cut_.bytewise ? 1 : bytes.size()) {
            client.send(std::string_view(bytes).substr(done, next - done));
            server_.settle();
            done = next;
        }
        client.send(std::string_view(bytes).substr(done));
    }

    void note(std::size_t who, const std::string& line) {
        transcript_ += std::to_string(who) + ": ";
        const bool timed =
            line.find("SAVEDATE") != std::string::npos || line.find("UIDVALIDITY") != std::string::npos ||
            line.find("COPYUID") != std::string::npos || line.find("APPENDUID") != std::string::npos;
        for (const char c : line)
            transcript_ += timed && std::isdigit(static_cast<unsigned char>(c)) != 0 ? '0' : c;
        transcript_ += '\n';
    }

    void speak(const std::string& verb, const std::string& rest) {
        std::size_t digits = 1;
        std::size_t who = 0;
        while (digits < verb.size() && std::isdigit(static_cast<unsigned char>(verb[digits])) != 0) {
            who = who * 10 + static_cast<std::size_t>(verb[digits++] - '0');
        }
        const std::string how = verb.substr(digits);
        const bool nothing = verb == "S0" || (verb.front() == 'S' && how == "-");
        TestClient& client = client_of(who == 0 ? 1 : who);
        std::string line;
        if (verb.front() == 'C') {
            send(client, how == "-" ? dialogs::unescape(rest) : rest + "\r\n");
        } else if (nothing) {
            server_.settle();
            ASSERT_EQ(client.received, "");
        } else if (how == "X") {
            while (server_.read_line(client, line)) ASSERT_EQ(line, "");
            ASSERT_TRUE(client.is_closed());
        } else if (how == "..") {
            do {
                ASSERT_TRUE(server_.read_line(client, line)) << "no such line came";
                note(who, line);
            } while (!matches(rest, line));
        } else {
            ASSERT_TRUE(server_.read_line(client, line)) << "no line came; " << client.received;
            note(who, line);
            ASSERT_TRUE(matches(rest, line)) << "came: " << line;
        }
    }

    TestClient& client_of(std::size_t who) {
        auto& client = clients_[who];
        const auto login = logins_.find(who);
        if (client == nullptr)
            client = &server_.connect(start_, login == logins_.end() ? "joe@example.org" : login->second);
        return *client;
    }

    TestServer server_;
    StartAt start_ = StartAt::login;
    std::map<std::size_t, TestClient*> clients_;
    std::map<std::size_t, std::string> logins_;  // of those who are not joe
    const Cut cut_;
    std::string transcript_;
    std::size_t longest_sent_ = 0;
    int number_ = 0;
};

class ImapDialog : public testing::TestWithParam<std::filesystem::path> {};
TEST_P(ImapDialog, GoesAsWritten) {
    Dialog().run(GetParam());
}

// Habit of networks: where a packet ends means nothing.
TEST_P(ImapDialog, GoesAsWrittenHoweverTheBytesAreCut) {
    Dialog whole;
    whole.run(GetParam());
    for (std::size_t at = 1; at < whole.longest_sent() && !HasFailure(); ++at) {
        Dialog cut({at, false});
        cut.run(GetParam());
        ASSERT_EQ(cut.transcript(), whole.transcript()) << "cut behind byte " << at;
    }
    Dialog bytewise({0, true});
    bytewise.run(GetParam());
    EXPECT_EQ(bytewise.transcript(), whole.transcript()) << "byte by byte";
}

std::vector<std::filesystem::path> scripts(const std::string& folder) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry :
         std::filesystem::directory_iterator(MAILSTEAD_TEST_DATA "/../dialogs/" + folder)) {
        if (entry.path().extension() == ".txt") found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
}
INSTANTIATE_TEST_SUITE_P(Scripts, ImapDialog, testing::ValuesIn(scripts("imap")),
                         [](const auto& p) { return p.param.stem().string(); });

class Pop3Dialog : public testing::TestWithParam<std::filesystem::path> {};
TEST_P(Pop3Dialog, GoesAsWritten) {
    Dialog().run(GetParam());
}
INSTANTIATE_TEST_SUITE_P(Scripts, Pop3Dialog, testing::ValuesIn(scripts("pop3")),
                         [](const auto& p) { return p.param.stem().string(); });

}  // namespace
}  // namespace mailstead::imapd
