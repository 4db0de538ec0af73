// Runs the scripts in tests/dialogs/smtp. Lines of a script:
//   P: exchange|submission [tls] [key=number ...]   the listener, first line
//   C: text     the client says text CRLF           R: text   the same without CRLF; \r \n \t \0 \xNN \\ are
//   understood S: text     the server says text CRLF; a final * stands for the rest of the line E:
//   timeout|disconnect|shutdown                  W: disk_full|memory_full|enough|451 text   the world changes
//   D: FROM -> RCPT,RCPT: text                      a message was delivered; text with escapes
//   X:          the server has closed the connection
// Each script is run with the client's bytes whole, and cut at every byte.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "common/base/text.h"
#include "tests/support/dialog_text.h"
#include "tests/unit/smtpd/fake_session.h"

namespace mailstead::smtpd::testing {
namespace {

struct Step {
    char kind = 0;
    std::string text;
    int line = 0;
};

std::vector<Step> load(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::vector<Step> steps;
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
        if (line.empty() || line[0] == '#') continue;
        EXPECT_TRUE(line.size() >= 2 && line[1] == ':') << file << ":" << number;
        steps.push_back({line[0], line.size() > 3 ? line.substr(3) : "", number});
    }
    return steps;
}

std::string escape(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        if (c == '\r') {
            out += "\\r";
        } else if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
    return out;
}

Profile profile_of(const std::string& words, bool& tls) {
    std::istringstream in(words);
    std::string word;
    in >> word;
    Profile profile = word == "submission" ? submission_profile() : exchange_profile();
    tls = false;
    while (in >> word) {
        if (word == "tls") tls = true;
        if (word == "no-starttls") profile.offers_starttls = false;
        const auto number = [&](std::string_view key) -> std::optional<std::uint32_t> {
            if (!word.starts_with(std::string(key) + "=")) return std::nullopt;
            return static_cast<std::uint32_t>(std::stoul(word.substr(key.size() + 1)));
        };
        if (const auto n = number("errors")) profile.limits.errors = *n;
        if (const auto n = number("recipients")) profile.limits.recipients = *n;
        if (const auto n = number("refused")) profile.limits.refused_recipients = *n;
        if (const auto n = number("transactions")) profile.limits.transactions = *n;
        if (const auto n = number("idle")) profile.limits.idle_commands = *n;
        if (const auto n = number("command")) profile.limits.command_octets = *n;
        if (const auto n = number("auth")) profile.limits.auth_line_octets = *n;
        if (const auto n = number("size")) profile.limits.body.message_octets = *n;
        if (const auto n = number("header")) profile.limits.body.header_octets = *n;
    }
    return profile;
}

std::string summary(const Delivered& message) {
    std::string out = "<" + to_string(message.transaction.mail.from) + "> -> ";
    for (const Recipient& recipient : message.transaction.recipients) {
        if (out.back() == '>') out += ",";
        out += "<" + recipient.rcpt.to->to_string() + ">";
    }
    return out + ": " + escape(message.text);
}

// One run of a script, the client's bytes in pieces of at most `piece`.
class ScriptRun {
public:
    ScriptRun(std::vector<Step> steps, std::size_t piece) : steps_(std::move(steps)), piece_(piece) {}

    void go() {
        bool tls = false;
        profile_ = profile_of(steps_.at(0).text, tls);
        session_ = std::make_unique<FakeSession>(profile_, world_, tls);
        for (const Step& step : steps_) {
            SCOPED_TRACE("line " + std::to_string(step.line) + ", pieces of " + std::to_string(piece_));
            perform(step);
            if (::testing::Test::HasFailure()) return;
        }
        said_ += session_->take_replies();
        EXPECT_EQ(said_, "") << "not expected by the script";
        EXPECT_EQ(seen_, world_.delivered.size());
    }

private:
    void perform(const Step& step) {
        switch (step.kind) {
            case 'P':
                break;
            case 'C':
                feed(dialogs::unescape(step.text) + "\r\n");
                break;
            case 'R':
                feed(dialogs::unescape(step.text));
                break;
            case 'S':
                expect(step.text);
                break;
            case 'E':
                session_->fail(step.text == "timeout"    ? Failure::timed_out
                               : step.text == "shutdown" ? Failure::shutting_down
                                                         : Failure::disconnected);
                break;
            case 'W':
                change_world(step.text);
                break;
            case 'D':
                ASSERT_LT(seen_, world_.delivered.size());
                EXPECT_EQ(summary(world_.delivered[seen_++]), step.text);
                break;
            case 'X':
                EXPECT_TRUE(session_->closed());
                break;
            default:
                FAIL() << "unknown kind of line";
        }
    }
    void feed(std::string_view bytes) {
        ASSERT_FALSE(session_->closed()) << "the server has closed already";
        while (!bytes.empty()) {
            session_->feed(bytes.substr(0, piece_));
            bytes.remove_prefix(std::min(piece_, bytes.size()));
        }
    }
    void expect(const std::string& line) {
        said_ += session_->take_replies();
        const std::size_t end = said_.find("\r\n");
        ASSERT_NE(end, std::string::npos) << "the server said nothing more; expected: " << line;
        const std::string got = said_.substr(0, end);
        said_.erase(0, end + 2);
        if (!line.empty() && line.back() == '*') {
            EXPECT_EQ(got.substr(0, line.size() - 1), line.substr(0, line.size() - 1));
        } else {
            EXPECT_EQ(got, line);
        }
    }
    void change_world(const std::string& what) {
        world_.room = what == "disk_full"     ? Room::disk_full
                      : what == "memory_full" ? Room::memory_full
                                              : Room::enough;
        if (mailstead::text::is_digit(what[0]))
            world_.answer = smtp::Reply(std::stoi(what.substr(0, 3)), what.substr(4));
    }

    std::vector<Step> steps_;
    std::size_t piece_;
    Profile profile_;
    World world_;
    std::unique_ptr<FakeSession> session_;
    std::string said_;
    std::size_t seen_ = 0;
};

std::vector<std::filesystem::path> scripts() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(MAILSTEAD_DIALOGS))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

class SmtpDialog : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(SmtpDialog, GoesAsWritten) {
    for (const std::size_t piece :
         {std::size_t{1} << 20, std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}}) {
        ScriptRun(load(GetParam()), piece).go();
        if (HasFailure()) return;
    }
}

INSTANTIATE_TEST_SUITE_P(Scripts, SmtpDialog, ::testing::ValuesIn(scripts()), [](const auto& c) {
    std::string name = c.param.stem().string();
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

}  // namespace
}  // namespace mailstead::smtpd::testing
