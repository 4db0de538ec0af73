// Messages made to cost time, memory or stack. Each bound is tested at its limit; a quadratic parser would
// not finish.
#include <ctime>
#include <functional>

#include <gtest/gtest.h>

#include "common/mime/address_list.h"
#include "common/mime/date_time.h"
#include "common/mime/encoded_word.h"
#include "common/mime/message_id.h"
#include "common/mime/message_text.h"
#include "common/mime/structure.h"
#include "tests/unit/mime/samples.h"

namespace mailstead::mime {
namespace {

// All that a delivery does with a message.
void digest(const std::string& bytes) {
    const Message m = Message::parse(bytes);
    std::string out;
    write_envelope(out, m, ClientText::ascii);
    write_bodystructure(out, m, ClientText::utf8);
    preview(m);
    EXPECT_TRUE(PartTree::decode(m.tree().encode()));
}

// Processor time of this thread, so that a busy machine changes nothing.
double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double seconds_for(const std::function<void()>& work) {
    const double start = processor_seconds();
    work();
    return processor_seconds() - start;
}

// Eight times the input may take at most some 20 times as long; a quadratic parser would take 64 times.
void expect_linear(const std::string& name, const std::function<std::string(std::size_t)>& make,
                   const std::function<void(const std::string&)>& work, std::size_t size) {
    const std::string small = make(size);
    const std::string large = make(size * 8);
    const double base = std::max(seconds_for([&] { work(small); }), 0.004);
    EXPECT_LT(seconds_for([&] { work(large); }), base * 24) << name;
}

std::string repeat(std::string_view s, std::size_t n) {
    std::string out;
    out.reserve(s.size() * n);
    for (std::size_t i = 0; i < n; ++i) out += s;
    return out;
}

TEST(Hostile, FiveThousandParts) {
    const std::string bytes = "Content-Type: multipart/mixed; boundary=x\r\n\r\n" +
                              repeat("--x\r\nContent-Type: text/html\r\n\r\nhi\r\n", 5000) + "--x--\r\n";
    const Message m = Message::parse(bytes);
    EXPECT_EQ(m.size(), 5001U);
    const auto last = m.tree().find_section("5000");
    ASSERT_TRUE(last);
    EXPECT_EQ(m.view(*last), "hi");
    digest(bytes);
}

TEST(Hostile, PartsPastTheBoundStayInTheLastPart) {
    const std::string bytes =
        "Content-Type: multipart/mixed; boundary=x\r\n\r\n" + repeat("--x\r\n\r\nhi\r\n", kMaxParts + 50);
    const Message m = Message::parse(bytes);
    EXPECT_EQ(m.size(), kMaxParts);
    EXPECT_EQ(m.part(kMaxParts - 1).body_end, bytes.size());
    digest(bytes);
}

TEST(Hostile, NestingPastTheBoundIsAnAttachment) {
    std::string messages = repeat("Content-Type: message/rfc822\r\n\r\n", 10'000);
    const Message m = Message::parse(messages);
    EXPECT_EQ(m.size(), kMaxDepth);
    EXPECT_EQ(m.fields(kMaxDepth - 1).type, "application");
    EXPECT_EQ(m.fields(kMaxDepth - 2).type, "message");
    digest(messages);
    std::string multiparts;
    for (int i = 0; i < 10'000; ++i) {
        const std::string b = "b" + std::to_string(10'000 + i);
        multiparts += "Content-Type: multipart/mixed; boundary=" + b + "\r\n\r\n--" + b + "\r\n";
    }
    EXPECT_EQ(Message::parse(multiparts).size(), kMaxDepth);
    digest(multiparts);
}

TEST(Hostile, AnEndlessHeader) {
    digest(sample("16-header-without-end.eml"));
    expect_linear(
        "one field", [](std::size_t n) { return "Subject: " + repeat("x\r\n ", n); }, digest, 100'000);
    expect_linear(
        "many fields", [](std::size_t n) { return repeat("Subject: x\r\n", n); }, digest, 50'000);
    expect_linear(
        "junk", [](std::size_t n) { return repeat("x\r\n", n); }, digest, 100'000);
}

TEST(Hostile, TenThousandParameters) {
    std::string type = "Content-Type: a/b";
    for (int i = 0; i < 10'000; ++i) type += ";\r\n x*" + std::to_string(i) + "*=%41";
    const std::string bytes = type + "\r\n\r\n";
    const Message m = Message::parse(bytes);
    ASSERT_EQ(m.fields(0).parameters.size(), 1U);
    EXPECT_EQ(m.fields(0).parameters[0].value, std::string(kMaxParameters, 'A'));
    const auto work = [](const std::string& body) { parse_parameterized(body); };
    expect_linear(
        "names", [](std::size_t n) { return "a/b;" + repeat("x*0*=y;", n); }, work, 100'000);
    expect_linear(
        "blanks", [](std::size_t n) { return "a/b;x=" + repeat("a ", n); }, work, 100'000);
    expect_linear(
        "comments", [](std::size_t n) { return "a/b" + repeat("(", n); }, work, 100'000);
}

TEST(Hostile, ThousandsOfBoundaries) {
    const auto nested = [](std::size_t lines) {
        std::string bytes;
        std::string boundary(kMaxBoundary - 60, 'a');
        for (int i = 0; i < 49; ++i) {
            boundary += 'a';
            bytes += "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n--" + boundary + "\r\n";
        }
        return bytes + "\r\n" + repeat("--" + std::string(kMaxBoundary - 61, 'a') + "b\r\n--\r\n", lines);
    };
    expect_linear("near misses", nested, digest, 2'000);
}

TEST(Hostile, HeaderTextThatLooksLikeMore) {
    const auto words = [](const std::string& s) { decode_encoded_words(s); };
    expect_linear(
        "openings", [](std::size_t n) { return repeat("=?a?q?x", n); }, words, 50'000);
    expect_linear(
        "question marks", [](std::size_t n) { return repeat("=?", n); }, words, 100'000);
    expect_linear(
        "changing charsets", [](std::size_t n) { return repeat("=?a?q?x?= =?b?q?x?=", n); }, words, 1'000);
    const auto addresses = [](const std::string& s) { parse_address_list(s); };
    expect_linear(
        "comments", [](std::size_t n) { return repeat("(", n); }, addresses, 100'000);
    expect_linear(
        "angles", [](std::size_t n) { return repeat("<", n); }, addresses, 100'000);
    expect_linear(
        "groups", [](std::size_t n) { return repeat("g:;", n); }, addresses, 100'000);
    expect_linear(
        "words", [](std::size_t n) { return repeat("a ", n); }, addresses, 100'000);
    expect_linear(
        "ats", [](std::size_t n) { return repeat("@", n); }, addresses, 100'000);
    const auto ids = [](const std::string& s) { parse_message_ids(s); };
    expect_linear(
        "ids", [](std::size_t n) { return repeat("<", n); }, ids, 100'000);
    expect_linear(
        "subjects", [](std::size_t n) { return repeat("[a]", n); },
        [](const std::string& s) { base_subject(s); }, 10'000);
    expect_linear(
        "dates", [](std::size_t n) { return repeat("1 ", n); },
        [](const std::string& s) { (void)parse_message_date(s); }, 10'000);
}

TEST(Hostile, MarkupWithoutEnd) {
    const auto html = [](std::string_view unit) {
        return [unit](std::size_t n) { return "Content-Type: text/html\r\n\r\n" + repeat(unit, n); };
    };
    for (const std::string_view unit : {"<", "<style>", "<!--", "&", "<a></a>"})
        expect_linear(std::string(unit), html(unit), digest, 10'000);
}

}  // namespace
}  // namespace mailstead::mime
