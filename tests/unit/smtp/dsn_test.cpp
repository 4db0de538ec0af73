#include "common/smtp/dsn.h"

#include <gtest/gtest.h>

#include "common/base/text.h"

namespace mailstead::smtp {
namespace {

Address address(std::string_view text) {
    return *Address::parse(text);
}

DsnReport report(std::string_view original) {
    DsnReport r{.reporter = address("MAILER-DAEMON@mail.example.org"),
                .sender = address("alice@example.org"),
                .reporting_mta = "mail.example.org",
                .message_id = "r1@mail.example.org",
                .boundary = "b1",
                .date = Time(Seconds(1'800'000'000)),
                .arrival = Time(Seconds(1'799'990'000)),
                .envelope_id = "QQ314159",
                .recipients = {},
                .ret = DsnReturn::headers,
                .original = original,
                .original_message_id = "<m1@example.org>",
                .smtputf8 = false};
    r.recipients.push_back({.final_recipient = address("bob@remote.example"),
                            .original = OriginalRecipient{"rfc822", "Bob@remote.example"},
                            .action = DsnAction::failed,
                            .status = {5, 1, 1},
                            .remote_mta = "mx.remote.example",
                            .diagnostic = "550 5.1.1 No such user",
                            .explanation = "",
                            .last_attempt = Time(Seconds(1'800'000'000)),
                            .will_retry_until = std::nullopt});
    return r;
}

constexpr std::string_view kOriginal = "Subject: hi\r\nFrom: alice@example.org\r\n\r\nThe body.\r\n";

bool contains(const std::string& text, std::string_view piece) {
    return text.find(piece) != std::string::npos;
}

TEST(SmtpDsn, ReportsFailureAsMultipartReport_Rfc3464_2) {
    const std::string text = compose_dsn(report(kOriginal));
    for (const std::string_view piece :
         {"From: Mail delivery <MAILER-DAEMON@mail.example.org>\r\n", "To: <alice@example.org>\r\n",
          "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n", "Message-ID: <r1@mail.example.org>\r\n",
          "References: <m1@example.org>\r\n", "Auto-Submitted: auto-replied\r\n",
          "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"b1\"\r\n",
          "Original-Envelope-Id: QQ314159\r\nReporting-MTA: dns; mail.example.org\r\n"
          "Arrival-Date: Fri, 15 Jan 2027 05:13:20 +0000\r\n\r\n"
          "Original-Recipient: rfc822;Bob@remote.example\r\nFinal-Recipient: rfc822; bob@remote.example\r\n"
          "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.remote.example\r\n"
          "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\nLast-Attempt-Date: Fri, 15 Jan 2027 08:00:00 "
          "+0000\r\n",
          "--b1\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: hi\r\nFrom: "
          "alice@example.org\r\n\r\n\r\n--b1--\r\n"}) {
        EXPECT_TRUE(contains(text, piece)) << piece << "\n---\n" << text;
    }
    EXPECT_FALSE(contains(text, "The body."));
}

TEST(SmtpDsn, ReturnsTheWholeMessageOnlyForFailuresThatAsk_Rfc3461_4_3) {
    DsnReport r = report(kOriginal);
    r.ret = DsnReturn::full;
    EXPECT_TRUE(contains(compose_dsn(r), "Content-Type: message/rfc822\r\n\r\nSubject: hi\r\n"));
    EXPECT_TRUE(contains(compose_dsn(r), "The body.\r\n\r\n--b1--\r\n"));
    r.recipients[0].action = DsnAction::delayed;
    EXPECT_FALSE(contains(compose_dsn(r), "The body."));
}

TEST(SmtpDsn, ALargeOriginalComesBackAsHeaders) {
    const std::string large = std::string(kOriginal) + std::string(kDsnFullLimit, 'x');
    DsnReport r = report(large);
    r.ret = DsnReturn::full;
    EXPECT_LT(compose_dsn(r).size(), 4000u);
}

TEST(SmtpDsn, TheClassOfTheStatusFitsTheAction_Rfc3464_2_3_4) {
    DsnReport r = report(kOriginal);
    r.recipients[0].status = {5, 4, 1};
    r.recipients[0].action = DsnAction::delayed;
    r.recipients[0].will_retry_until = Time(Seconds(1'800'432'000));
    EXPECT_TRUE(contains(compose_dsn(r), "Action: delayed\r\nStatus: 4.4.1\r\n"));
    EXPECT_TRUE(contains(compose_dsn(r), "Will-Retry-Until: Wed, 20 Jan 2027 08:00:00 +0000\r\n"));
    r.recipients[0].action = DsnAction::delivered;
    EXPECT_TRUE(contains(compose_dsn(r), "Action: delivered\r\nStatus: 2.4.1\r\n"));
}

TEST(SmtpDsn, TheRemotesWordsCannotAddFields) {
    DsnReport r = report(kOriginal);
    r.recipients[0].diagnostic = "550 x\r\nAction: delivered\r\n\xFF" + std::string(2000, 'y');
    const std::string text = compose_dsn(r);
    EXPECT_FALSE(contains(text, "\r\nAction: delivered"));
    EXPECT_TRUE(text::is_ascii(text));
    std::string_view rest = text;
    while (!rest.empty()) EXPECT_LE(text::next_field(rest, '\n').size(), 998u);
}

TEST(SmtpDsn, Utf8AddressesAreEscapedForAsciiReaders_Rfc6533_3) {
    DsnReport r = report(kOriginal);
    r.recipients[0].final_recipient = address("\xC3\xBC@remote.example");
    const std::string text = compose_dsn(r);
    EXPECT_TRUE(contains(text, "Final-Recipient: utf-8; \\x{FC}@remote.example\r\n"));
    EXPECT_TRUE(contains(text, "Content-Type: message/delivery-status\r\n"));
    EXPECT_TRUE(text::is_ascii(text));
}

TEST(SmtpDsn, Utf8OriginalsGetTheGlobalTypes_Rfc6533_4) {
    DsnReport r = report("Subject: \xC3\xBC\r\n\r\nx\r\n");
    r.smtputf8 = true;
    r.recipients[0].final_recipient = address("\xC3\xBC@remote.example");
    const std::string text = compose_dsn(r);
    EXPECT_TRUE(contains(text, "Content-Type: message/global-delivery-status\r\n"));
    EXPECT_TRUE(contains(text, "Content-Type: message/global-headers\r\n"));
    EXPECT_TRUE(contains(text, "Final-Recipient: utf-8; \xC3\xBC@remote.example\r\n"));
    DsnReport plain = report(kOriginal);
    plain.smtputf8 = true;
    EXPECT_TRUE(contains(compose_dsn(plain), "Content-Type: message/delivery-status\r\n"));
}

}  // namespace
}  // namespace mailstead::smtp
