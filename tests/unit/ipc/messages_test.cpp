#include "common/ipc/messages.h"

#include <gtest/gtest.h>

namespace mailstead::ipc {
namespace {

Address address(std::string_view text) {
    return Address::parse(text).value();
}

DeliverMessage some_delivery() {
    DeliverMessage message;
    message.trace_id = "01HXYZ";
    message.envelope.reverse_path = address("sender@example.org");
    message.envelope.recipients = {
        Recipient{address("user+lists@example.net"), kNotifyFailure | kNotifyDelay, "rfc822;user@example.net",
                  Local{AccountId(7), "lists"}},
        Recipient{address("alias@example.net"), kNotifyNever, "", Remote{address("far@example.com")}},
    };
    message.envelope.ret = ReturnContent::headers;
    message.envelope.envid = "id 1";
    message.envelope.smtputf8 = true;
    message.envelope.body = BodyType::eight_bit_mime;
    message.origin.service = Service::submission;
    message.origin.client = net::SocketAddress::parse("[2001:db8::1]:4242").value();
    message.origin.helo = "client.example";
    message.origin.tls_version = "TLSv1.3";
    message.origin.tls_cipher = "TLS_AES_256_GCM_SHA384";
    message.origin.auth_account = AccountId(9);
    message.origin.auth_login = "sender@example.org";
    message.verdict = "spf=pass";
    message.size = 123'456'789'012;
    message.received = Time(Milliseconds(1'700'000'000'123));
    message.junk = true;
    return message;
}

// Every message with something in every field, by its encoding.
std::vector<std::pair<std::string, std::string>> samples() {
    AuthStep step;
    step.conversation = 5;
    step.attempt = 6;
    step.client_ip = net::parse_ip("192.0.2.1").value();
    step.mechanism = "SCRAM-SHA-256-PLUS";
    step.has_initial = true;
    step.client_bytes = Secret("p=tls-exporter,,n=user,r=abc");
    step.bindings = {std::string(32, '\x01'), std::string(12, '\x02'), std::string(48, '\x03')};
    step.under_tls = true;
    AuthAnswer challenge;
    challenge.outcome = AuthChallenge{Secret("r=abcdef,s=c2FsdA==,i=4096"), 77};
    AuthAnswer success;
    success.outcome = AuthSuccess{AccountId(3), "user@example.org", Secret("v=proof")};
    AuthAnswer failure;
    failure.outcome = AuthFailure{"wrong password", AuthFailure::Kind::not_authorized};
    AuthAnswer busy;
    busy.outcome = AuthBusy{"later"};
    return {
        {"hello", Hello{1, "smtpd"}.encode()},
        {"refused", Refused{"no"}.encode()},
        {"auth_step", step.encode()},
        {"challenge", challenge.encode()},
        {"success", success.encode()},
        {"failure", failure.encode()},
        {"busy", busy.encode()},
        {"cancel", AuthCancel{12}.encode()},
        {"deliver", some_delivery().encode()},
        {"delivered", DeliverAnswer{DeliverAnswer::Outcome::transient, "4.3.1 full", 8}.encode()},
        {"change", ApplyChange{AccountId(4), "opaque"}.encode()},
        {"changed", ChangeAnswer{2, "no such mailbox"}.encode()},
        {"ledger", LedgerLine{"01H", Time(Milliseconds(5)), "smtp.accept", {{"a", "1"}, {"b", ""}}}.encode()},
        {"quota?", QuotaQuestion{AccountId(1), 99}.encode()},
        {"quota", QuotaAnswer{true}.encode()},
        {"queue all", QueueCommand{QueueCommand::Op::retry, QueueCommand::All{}}.encode()},
        {"queue id", QueueCommand{QueueCommand::Op::hold, QueueId(7)}.encode()},
        {"queue domain",
         QueueCommand{QueueCommand::Op::release, QueueCommand::ToDomain{"example.org"}}.encode()},
        {"queue recipient",
         QueueCommand{QueueCommand::Op::remove, QueueCommand::ToRecipient{"a@example.org"}}.encode()},
        {"queued", QueueAnswer{3, ""}.encode()},
        {"status", StatusAnswer{{{"queue", 3}, {"accepted", 1'000'000}}, {}}.encode()},
        {"gone", AccountGone{AccountId(6)}.encode()},
        {"damage", DamageReport{AccountId(6), DamageReport::Kind::body, "INBOX, UID 7"}.encode()},
        {"repairs",
         StatusAnswer{{{"queue", 3}},
                      {{"account/7", "a@example.org", "cut short", Time(Seconds(5)), 37, 2, "no room"}}}
             .encode()},
    };
}

// The encoding of what `name`'s bytes decode to; empty if they are refused.
std::string there_and_back(const std::string& name, std::string_view bytes) {
    const auto again = [](const auto& decoded) { return decoded ? "!" + decoded->encode() : std::string(); };
    if (name == "hello") return again(Hello::decode(bytes));
    if (name == "refused") return again(Refused::decode(bytes));
    if (name == "auth_step") return again(AuthStep::decode(bytes));
    if (name == "challenge" || name == "success" || name == "failure" || name == "busy")
        return again(AuthAnswer::decode(bytes));
    if (name == "cancel") return again(AuthCancel::decode(bytes));
    if (name == "deliver") return again(DeliverMessage::decode(bytes));
    if (name == "delivered") return again(DeliverAnswer::decode(bytes));
    if (name == "change") return again(ApplyChange::decode(bytes));
    if (name == "changed") return again(ChangeAnswer::decode(bytes));
    if (name == "ledger") return again(LedgerLine::decode(bytes));
    if (name == "quota?") return again(QuotaQuestion::decode(bytes));
    if (name == "quota") return again(QuotaAnswer::decode(bytes));
    if (name.starts_with("queue ")) return again(QueueCommand::decode(bytes));
    if (name == "queued") return again(QueueAnswer::decode(bytes));
    if (name == "status") return again(StatusAnswer::decode(bytes));
    if (name == "gone") return again(AccountGone::decode(bytes));
    if (name == "damage") return again(DamageReport::decode(bytes));
    if (name == "repairs") return again(StatusAnswer::decode(bytes));
    ADD_FAILURE() << "no decoder for " << name;
    return {};
}

TEST(Messages, DecodeWhatTheyEncode) {
    for (const auto& [name, bytes] : samples()) EXPECT_EQ(there_and_back(name, bytes), "!" + bytes) << name;
}

TEST(Messages, RefuseEveryTruncationAndEveryExtraByte) {
    for (const auto& [name, bytes] : samples()) {
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            EXPECT_TRUE(there_and_back(name, std::string_view(bytes).substr(0, size)).empty())
                << name << " cut to " << size;
        }
        EXPECT_TRUE(there_and_back(name, bytes + '\0').empty()) << name;
    }
}

TEST(Messages, DeliverMessageKeepsItsFields) {
    const auto decoded = DeliverMessage::decode(some_delivery().encode());
    ASSERT_TRUE(decoded) << decoded.error().what;
    const DeliverMessage expected = some_delivery();
    EXPECT_EQ(decoded->envelope, expected.envelope);
    EXPECT_EQ(decoded->origin.client, expected.origin.client);
    EXPECT_EQ(decoded->received, expected.received);
    EXPECT_EQ(decoded->size, expected.size);
    EXPECT_TRUE(decoded->junk);
}

TEST(Messages, RefuseImpossibleEnvelopes) {
    DeliverMessage message = some_delivery();
    message.envelope.recipients.clear();
    EXPECT_FALSE(DeliverMessage::decode(message.encode())) << "no recipients";
    message = some_delivery();
    message.envelope.recipients[0].notify = kNotifyNever | kNotifyDelay;
    EXPECT_FALSE(DeliverMessage::decode(message.encode())) << "NEVER with another";
    message = some_delivery();
    message.envelope.recipients[0].target = Local{AccountId(0), ""};
    EXPECT_FALSE(DeliverMessage::decode(message.encode())) << "account zero";
    message = some_delivery();
    message.envelope.envid = std::string(kMaxEnvelopeText, 'x');
    EXPECT_TRUE(DeliverMessage::decode(message.encode())) << "at the limit";
    message.envelope.envid += 'x';
    EXPECT_FALSE(DeliverMessage::decode(message.encode())) << "past the limit";
}

TEST(Messages, RefuseUnknownEnumerators) {
    EXPECT_FALSE(DeliverAnswer::decode(std::string("\x03\x00\x00", 3)));
    EXPECT_FALSE(AuthAnswer::decode(std::string("\x04\x00", 2)));
    EXPECT_FALSE(QuotaAnswer::decode("\x02"));
    EXPECT_FALSE(QueueCommand::decode(std::string("\x00\x04", 2)));
}

TEST(Messages, ProofsAreSensitive) {
    EXPECT_TRUE(is_sensitive(MessageType::auth_step));
    EXPECT_TRUE(is_sensitive(MessageType::auth_answer));
    EXPECT_FALSE(is_sensitive(MessageType::deliver_message));
}

}  // namespace
}  // namespace mailstead::ipc
