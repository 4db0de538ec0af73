#include "deliver/relay/client_core.h"

#include <gtest/gtest.h>

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;

Outgoing message(std::vector<std::string> to) {
    Outgoing out;
    out.from = Address::parse("you@example.org").value();
    out.size = 100;
    for (const auto& each : to) out.to.push_back({Address::parse(each).value(), {}, {}});
    return out;
}

smtp::Reply reply(int code, std::vector<std::string> lines) {
    smtp::Reply made;
    made.code = code;
    made.lines = std::move(lines);
    return made;
}

// A server's lines against what the client sends: each step is what must have been sent, then the answer.
class Dialog {
public:
    explicit Dialog(ClientOptions options = {.helo_name = "mail.example.org"}) : core(std::move(options)) {
        action = core.connected();
    }

    Dialog& greeting(std::vector<std::string> capabilities = {}) {
        expect("");
        answer(220, {"hello"});
        return hello(std::move(capabilities));
    }
    Dialog& hello(std::vector<std::string> capabilities) {
        expect("EHLO mail.example.org\r\n");
        capabilities.insert(capabilities.begin(), "mx.test");
        return answer(250, std::move(capabilities));
    }
    Dialog& expect(std::string_view bytes) {
        const auto* send = std::get_if<SendAndRead>(&action);
        EXPECT_TRUE(send) << "expected to send " << bytes;
        if (send) {
            EXPECT_EQ(send->bytes, bytes);
        }
        return *this;
    }
    Dialog& answer(int code, std::vector<std::string> lines = {"text"}) {
        action = core.on_reply(reply(code, std::move(lines)));
        return *this;
    }
    template <class Wanted>
    bool is() const {
        return std::holds_alternative<Wanted>(action);
    }

    ClientCore core;
    ClientAction action = Close{};
};

TEST(ClientCore, SendsOneCommandAtATimeWithoutPipelining) {
    Dialog dialog;
    dialog.greeting();
    ASSERT_TRUE(dialog.is<Idle>());
    dialog.action = dialog.core.start(message({"a@remote.test", "b@remote.test"}));
    dialog.expect("MAIL FROM:<you@example.org>\r\n").answer(250);
    dialog.expect("RCPT TO:<a@remote.test>\r\n").answer(250);
    dialog.expect("RCPT TO:<b@remote.test>\r\n").answer(550, {"5.1.1 no such user"});
    dialog.expect("DATA\r\n").answer(354);
    ASSERT_TRUE(dialog.is<SendMessage>());
    dialog.answer(250);
    ASSERT_TRUE(dialog.is<Idle>());
    EXPECT_EQ(dialog.core.verdicts()[0].verdict, Verdict::delivered);
    EXPECT_EQ(dialog.core.verdicts()[1].verdict, Verdict::permanent);
    EXPECT_NE(dialog.core.verdicts()[1].text.find("no such user"), std::string::npos);
}

TEST(ClientCore, PipelinesMailAndRecipientsButNotData) {
    Dialog dialog;
    dialog.greeting({"PIPELINING", "SIZE 1000"});
    dialog.action = dialog.core.start(message({"a@remote.test", "b@remote.test"}));
    dialog.expect(
        "MAIL FROM:<you@example.org> SIZE=100\r\nRCPT TO:<a@remote.test>\r\nRCPT TO:<b@remote.test>\r\n");
    dialog.answer(250).expect("").answer(250).expect("").answer(250);
    dialog.expect("DATA\r\n");
}

TEST(ClientCore, ReadsThePipelinedRepliesAfterARefusedSender) {
    Dialog dialog;
    dialog.greeting({"PIPELINING"});
    dialog.action = dialog.core.start(message({"a@remote.test", "b@remote.test"}));
    dialog.answer(550, {"5.7.1 not you"}).answer(503).answer(503);
    dialog.expect("RSET\r\n").answer(250);
    ASSERT_TRUE(dialog.is<Idle>());
    for (const auto& verdict : dialog.core.verdicts()) {
        EXPECT_EQ(verdict.verdict, Verdict::permanent);
        EXPECT_NE(verdict.text.find("not you"), std::string::npos) << "the first refusal tells why";
    }
}

TEST(ClientCore, StartTlsForgetsWhatWasAnnouncedBefore) {
    Dialog dialog;
    dialog.greeting({"STARTTLS", "PIPELINING"});
    dialog.expect("STARTTLS\r\n").answer(220);
    ASSERT_TRUE(dialog.is<UpgradeTls>());
    dialog.action = dialog.core.on_tls();
    dialog.hello({"SIZE 10"});
    ASSERT_TRUE(dialog.is<Idle>());
    EXPECT_FALSE(dialog.core.capabilities().pipelining);
}

TEST(ClientCore, ABrokenHandshakeIsMarkedForAnotherTryInTheClear) {
    Dialog dialog;
    dialog.greeting({"STARTTLS"});
    dialog.answer(220);
    dialog.action = dialog.core.on_failure("TLS: no shared cipher");
    EXPECT_TRUE(dialog.is<Close>());
    EXPECT_TRUE(dialog.core.tls_failed());
}

TEST(ClientCore, RequiredTlsSendsNothingWithoutIt) {
    Dialog dialog({.helo_name = "mail.example.org", .tls = TlsUse::required});
    dialog.greeting({"PIPELINING"});
    EXPECT_TRUE(dialog.is<Close>());
    ASSERT_TRUE(dialog.core.refusal());
    EXPECT_EQ(dialog.core.refusal()->verdict, Verdict::transient);
}

TEST(ClientCore, FallsBackToHelo_Rfc5321_3_2) {
    Dialog dialog;
    dialog.answer(220).expect("EHLO mail.example.org\r\n").answer(502);
    dialog.expect("HELO mail.example.org\r\n").answer(250);
    EXPECT_TRUE(dialog.is<Idle>());
}

TEST(ClientCore, AServiceThatClosesWith421IsTransientForAllStillOpen) {
    Dialog dialog;
    dialog.greeting();
    dialog.action = dialog.core.start(message({"a@remote.test", "b@remote.test"}));
    dialog.answer(250).answer(550).answer(421, {"4.3.2 going down"});
    EXPECT_TRUE(dialog.is<Close>());
    EXPECT_EQ(dialog.core.verdicts()[0].verdict, Verdict::permanent);
    EXPECT_EQ(dialog.core.verdicts()[1].verdict, Verdict::transient);
}

TEST(ClientCore, TooManyRecipientsIsForLater_Rfc5321_4_5_3_1_10) {
    Dialog dialog;
    dialog.greeting();
    dialog.action = dialog.core.start(message({"a@remote.test"}));
    dialog.answer(250).answer(552);
    EXPECT_EQ(dialog.core.verdicts()[0].verdict, Verdict::transient);
}

TEST(ClientCore, AMessageOverTheServersLimitIsNotSent_Rfc1870) {
    Dialog dialog;
    dialog.greeting({"SIZE 99"});
    dialog.action = dialog.core.start(message({"a@remote.test"}));
    EXPECT_TRUE(dialog.is<Idle>());
    EXPECT_EQ(dialog.core.verdicts()[0].verdict, Verdict::permanent);
    EXPECT_EQ(dialog.core.verdicts()[0].status, (smtp::EnhancedCode{5, 3, 4}));
}

TEST(ClientCore, InternationalizedMailNeedsSmtputf8_Rfc6531_3_2) {
    Outgoing out = message({"a@remote.test"});
    out.needs_smtputf8 = true;
    Dialog without;
    without.greeting();
    without.action = without.core.start(out);
    EXPECT_EQ(without.core.verdicts()[0].status, (smtp::EnhancedCode{5, 6, 7}));
    Dialog with;
    with.greeting({"SMTPUTF8"});
    with.action = with.core.start(out);
    with.expect("MAIL FROM:<you@example.org> SMTPUTF8\r\n");
}

TEST(ClientCore, WaitsAsLongAsTheStandardSays_Rfc5321_4_5_3_2) {
    Dialog dialog;
    EXPECT_EQ(std::get<SendAndRead>(dialog.action).timeout, 5min);
    dialog.greeting();
    dialog.action = dialog.core.start(message({"a@remote.test"}));
    dialog.answer(250).answer(250);
    EXPECT_EQ(std::get<SendAndRead>(dialog.action).timeout, 2min);
    dialog.answer(354);
    EXPECT_EQ(std::get<SendMessage>(dialog.action).timeout, 10min);
}

// Breaking the connection at any step settles every recipient, transiently, and asks for nothing but to
// close.
TEST(ClientCore, AFailureAtAnyStepIsTransientForAllWhoWereNotSettled) {
    const std::vector<int> replies = {220, 250, 250, 250, 250, 354, 250};
    for (std::size_t broken_at = 0; broken_at < replies.size(); ++broken_at) {
        Dialog dialog;
        for (std::size_t step = 0; step < broken_at; ++step) {
            if (dialog.is<Idle>())
                dialog.action = dialog.core.start(message({"a@remote.test", "b@remote.test"}));
            dialog.answer(replies[step]);
        }
        if (dialog.is<Idle>()) dialog.action = dialog.core.start(message({"a@remote.test", "b@remote.test"}));
        dialog.action = dialog.core.on_failure("connection reset");
        EXPECT_TRUE(dialog.is<Close>()) << broken_at;
        for (const auto& verdict : dialog.core.verdicts())
            EXPECT_EQ(verdict.verdict, Verdict::transient) << broken_at;
    }
}

}  // namespace
}  // namespace mailstead::deliver
