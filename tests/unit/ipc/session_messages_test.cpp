#include "common/ipc/session_messages.h"

#include <functional>

#include <gtest/gtest.h>

namespace mailstead::ipc {
namespace {

SessionFacts some_session() {
    SessionFacts facts;
    facts.id = "i17";
    facts.service = Service::pop3;
    facts.account = AccountId(7);
    facts.login = "user@example.org";
    facts.client = "Thunderbird 128.0";
    facts.peer = net::SocketAddress::parse("[2001:db8::1]:4242").value();
    facts.tls = "TLSv1.3";
    facts.since = Time(Milliseconds(1'700'000'000'123));
    facts.last_time = Time(Milliseconds(1'700'000'000'456));
    facts.last_command = "UID FETCH";
    facts.mailbox = "INBOX/Entwürfe";
    facts.credential = {Credential::Kind::app_password, "phone", 0x1122334455667788};
    return facts;
}

SessionOrders some_orders() {
    SessionOrders orders;
    orders.epoch = 5;
    orders.check_all = true;
    orders.orders = {{1, SessionOrder::Recheck{AccountId(7)}},
                     {2, SessionOrder::Describe{AccountId(7)}},
                     {3, SessionOrder::End{SessionsOf{AccountId(7)}}},
                     {4, SessionOrder::End{SessionNamed{"i17"}}}};
    return orders;
}

struct Sample {
    std::string bytes;
    // The encoding of what bytes decode to; empty if they are refused.
    std::function<std::string(std::string_view)> again;
};

template <class Value>
Sample sample(const Value& value) {
    return {value.encode(), [](std::string_view bytes) {
                const auto decoded = Value::decode(bytes);
                return decoded ? decoded->encode() : std::string();
            }};
}

std::vector<Sample> samples() {
    SessionVerdicts verdicts;
    verdicts.ended = {{"i1", EndReason::account_locked}, {"i2", EndReason::administrator}};
    SessionCheck check;
    check.claims = {{"i1", AccountId(7), {Credential::Kind::app_password, "phone", 99}}};
    return {sample(verdicts),
            sample(check),
            sample(some_orders()),
            sample(SessionPoll{true}),
            sample(SessionResult{5, 6, true, {some_session()}}),
            sample(SessionsEnded{7, 8}),
            sample(AccountChanged{AccountId(9)}),
            sample(KickCommand{SessionsFrom{net::parse_ip("2001:db8::1").value()}}),
            sample(WhoAnswer{{some_session(), some_session()}, true, 3}),
            sample(WhoQuestion{AccountId(9)})};
}

TEST(SessionMessages, SayTheSameOnTheOtherSide) {
    for (const Sample& each : samples()) EXPECT_EQ(each.again(each.bytes), each.bytes);
}

TEST(SessionMessages, RefuseWhatIsCutOrTooLong) {
    for (const Sample& each : samples()) {
        for (std::size_t size = 0; size < each.bytes.size(); ++size)
            EXPECT_EQ(each.again(std::string_view(each.bytes).substr(0, size)), "") << size;
        EXPECT_EQ(each.again(each.bytes + "x"), "");
    }
}

TEST(SessionMessages, AreBounded) {
    SessionCheck check;
    check.claims.resize(kMaxSessionsInMessage);
    EXPECT_TRUE(SessionCheck::decode(check.encode()));
    check.claims.resize(kMaxSessionsInMessage + 1);
    EXPECT_FALSE(SessionCheck::decode(check.encode()));
    SessionOrders orders;
    orders.orders.resize(kMaxSessionOrders + 1);
    EXPECT_FALSE(SessionOrders::decode(orders.encode()));
    EXPECT_FALSE(AccountChanged::decode(AccountChanged{}.encode())) << "account zero";
}

TEST(SessionMessages, CutWhatClientsSay) {
    SessionResult result{1, 0, true, {some_session()}};
    result.sessions[0].client = std::string(10'000, 'x');
    const auto decoded = SessionResult::decode(result.encode());
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->sessions[0].client.size(), 256u);
}

}  // namespace
}  // namespace mailstead::ipc
