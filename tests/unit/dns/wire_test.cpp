#include "common/dns/wire.h"

#include <gtest/gtest.h>

#include "dns_server.h"

namespace mailstead::dns {
namespace {

using test::ResponseBuilder;
using B = ResponseBuilder;

constexpr std::uint16_t kA = 1;
constexpr std::uint16_t kCname = 5;
constexpr std::uint16_t kSoa = 6;
constexpr std::uint16_t kMx = 15;
constexpr std::uint16_t kTxt = 16;
constexpr std::uint16_t kSrv = 33;
constexpr std::uint16_t kTlsa = 52;
constexpr std::uint16_t kAd = 0x0020;

Question question(std::string name, RecordType type) {
    return {std::move(name), type};
}

AnyAnswer read(const ResponseBuilder& response, const Question& asked, bool trust = true) {
    auto answer = read_response(response.bytes(7), asked, trust);
    EXPECT_TRUE(answer) << answer.error().what;
    return answer ? *answer : AnyAnswer();
}

TEST(DnsWire, QueryAsksWithAdAndEdns_Rfc6840_5_7) {
    const std::string query = write_query(question("mail.example.org", RecordType::mx), 0x1234);
    const std::string expected = B::u16(0x1234) + B::u16(0x0120) + B::u16(1) + B::u16(0) + B::u16(0) +
                                 B::u16(1) + B::name("mail.example.org") + B::u16(15) + B::u16(1) +
                                 std::string(1, '\0') + B::u16(41) + B::u16(1232) + B::u32(0) + B::u16(0);
    EXPECT_EQ(query, expected);
}

TEST(DnsWire, ReadsEveryType) {
    struct Case {
        RecordType type;
        std::string data;
        Record expected;
    };
    const std::string v6("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
    for (const Case& c : {
             Case{RecordType::a, std::string("\xC0\x00\x02\x01", 4), *IpAddress::parse("192.0.2.1")},
             Case{RecordType::aaaa, v6, *IpAddress::parse("2001:db8::1")},
             Case{RecordType::mx, B::u16(10) + B::name("MX.Example.net"), Mx{10, "mx.example.net"}},
             Case{RecordType::mx, B::u16(0) + B::name(""), Mx{0, ""}},
             Case{RecordType::txt, std::string("\x05v=spf\x02 1"), Txt{"v=spf 1"}},
             Case{RecordType::tlsa, std::string("\x03\x01\x01\xAB\xCD"), Tlsa{3, 1, 1, "\xAB\xCD"}},
             Case{RecordType::ptr, B::name("host.example"), Target{"host.example"}},
             Case{RecordType::srv, B::u16(1) + B::u16(2) + B::u16(993) + B::name("imap.example"),
                  Srv{1, 2, 993, "imap.example"}},
         }) {
        const Question asked = question("x.example", c.type);
        const AnyAnswer answer =
            read(B(asked).answer("x.example", static_cast<std::uint16_t>(c.type), 60, c.data), asked);
        ASSERT_TRUE(answer.found()) << to_string(c.type);
        EXPECT_EQ(answer.records, std::vector<Record>{c.expected}) << to_string(c.type);
        EXPECT_EQ(answer.ttl, Seconds(60));
    }
}

TEST(DnsWire, FollowsAliasesInAnyOrderAndTakesTheSmallestTtl) {
    const Question asked = question("www.example", RecordType::a);
    const std::string ip("\xC0\x00\x02\x01", 4);
    const AnyAnswer answer = read(B(asked)
                                      .answer("c.example", kA, 300, ip)
                                      .answer("b.example", kCname, 30, B::name("c.example"))
                                      .answer("www.example", kCname, 900, B::name("B.example"))
                                      .answer("unrelated.example", kA, 1, ip),
                                  asked);
    ASSERT_TRUE(answer.found());
    EXPECT_EQ(answer.records.size(), 1U);
    EXPECT_EQ(answer.ttl, Seconds(30));
}

TEST(DnsWire, AnAliasLoopIsAFailure) {
    const Question asked = question("a.example", RecordType::a);
    const AnyAnswer answer = read(B(asked)
                                      .answer("a.example", kCname, 9, B::name("b.example"))
                                      .answer("b.example", kCname, 9, B::name("a.example")),
                                  asked);
    EXPECT_TRUE(answer.failed());
}

TEST(DnsWire, OutcomesFollowTheResponseCode) {
    const Question asked = question("x.example", RecordType::a);
    const std::string soa = B::name("ns.example") + B::name("root.example") + B::u32(1) + B::u32(2) +
                            B::u32(3) + B::u32(4) + B::u32(120);
    const AnyAnswer no_name = read(B(asked, 3).authority("example", kSoa, 3600, soa), asked);
    EXPECT_EQ(no_name.outcome, Outcome::no_such_name);
    EXPECT_EQ(no_name.ttl, Seconds(120));
    const AnyAnswer no_record = read(B(asked).authority("example", kSoa, 60, soa), asked);
    EXPECT_EQ(no_record.outcome, Outcome::no_such_record);
    EXPECT_EQ(no_record.ttl, Seconds(60));
    for (const std::uint16_t code : std::initializer_list<std::uint16_t>{1, 2, 4, 5, 9}) {
        const AnyAnswer failed = read(B(asked, code), asked);
        EXPECT_TRUE(failed.failed()) << code;
        EXPECT_FALSE(failed.error.empty());
    }
}

TEST(DnsWire, TheAdBitCountsOnlyFromATrustedServer) {
    const Question asked = question("x.example", RecordType::a);
    const B response = B(asked, kAd).answer("x.example", kA, 60, std::string("\xC0\x00\x02\x01", 4));
    EXPECT_TRUE(read(response, asked, true).authenticated);
    EXPECT_FALSE(read(response, asked, false).authenticated);
    EXPECT_FALSE(read(B(asked).answer("x.example", kA, 60, std::string("\xC0\x00\x02\x01", 4)), asked, true)
                     .authenticated);
}

TEST(DnsWire, LeavesMalformedRecordsOut) {
    const Question asked = question("x.example", RecordType::txt);
    const AnyAnswer answer = read(B(asked)
                                      .answer("x.example", kTxt, 60, std::string("\x09short"))
                                      .answer("x.example", kTxt, 60, std::string("\x04good")),
                                  asked);
    EXPECT_EQ(answer.records, std::vector<Record>{Txt{"good"}});
    const Question tlsa = question("x.example", RecordType::tlsa);
    EXPECT_EQ(read(B(tlsa).answer("x.example", kTlsa, 60, "\x03"), tlsa).outcome, Outcome::no_such_record);
    const Question srv = question("x.example", RecordType::srv);
    EXPECT_EQ(read(B(srv).answer("x.example", kSrv, 60, "\x01\x02"), srv).outcome, Outcome::no_such_record);
}

TEST(DnsWire, NamesWithOddBytesAreEscaped) {
    const Question asked = question("x.example", RecordType::mx);
    const AnyAnswer answer = read(B(asked).answer("x.example", kMx, 60,
                                                  B::u16(1) + std::string("\x04"
                                                                          "a. \n\x00",
                                                                          6)),
                                  asked);
    EXPECT_EQ(answer.records, std::vector<Record>(1, Mx{1, "a\\046\\032\\010"}));
}

TEST(DnsWire, RefusesResponsesOfNoUse) {
    const Question asked = question("x.example", RecordType::mx);
    const std::string good =
        B(asked).answer("x.example", kMx, 60, B::u16(10) + B::name("mx.example.net")).bytes(1);
    ASSERT_TRUE(read_response(good, asked, true));
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(read_response(good.substr(0, size), asked, true)) << size;
    EXPECT_FALSE(read_response(good, question("y.example", RecordType::mx), true)) << "another name";
    EXPECT_FALSE(read_response(good, question("x.example", RecordType::a), true)) << "another type";
    std::string query = good;
    query[2] = '\x01';
    EXPECT_FALSE(read_response(query, asked, true)) << "not a response";
    std::string many = good;
    many[6] = '\x7F';
    EXPECT_FALSE(read_response(many, asked, true)) << "too many records";
}

TEST(DnsWire, CompressionMayOnlyPointBackwards) {
    const Question asked = question("x.example", RecordType::mx);
    const std::size_t data = 12 + 11 + 4 + 11 + 10 + 2;  // header, question, owner, fixed part, preference
    const auto pointing_to = [&](std::size_t target) {
        return B(asked)
            .answer("x.example", kMx, 60, B::u16(10) + B::u16(static_cast<unsigned>(0xC000 | target)))
            .bytes(1);
    };
    const auto backwards = read_response(pointing_to(12), asked, true);
    ASSERT_TRUE(backwards);
    EXPECT_EQ(backwards->records, std::vector<Record>(1, Mx{10, "x.example"}));
    for (const std::size_t target : {data, data + 1, std::size_t{0x3FFF}}) {
        const auto answer = read_response(pointing_to(target), asked, true);
        EXPECT_TRUE(!answer || !answer->found()) << target;
    }
}

}  // namespace
}  // namespace mailstead::dns
