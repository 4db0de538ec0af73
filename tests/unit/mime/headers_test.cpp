#include "common/mime/headers.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/mime/samples.h"

namespace mailstead::mime {
namespace {

std::vector<std::string> names(std::string_view bytes) {
    std::vector<std::string> out;
    HeaderReader reader(bytes);
    while (auto field = reader.next()) out.emplace_back(field->name);
    return out;
}

TEST(Headers, GivesFieldsWithRawBytesAndFindsTheBody) {
    const std::string m = "A: 1\r\nB:  two\r\n\tfolded \r\n\r\nbody: no\r\n";
    HeaderReader reader(m);
    auto a = reader.next();
    ASSERT_TRUE(a);
    EXPECT_EQ(a->raw, "A: 1\r\n");
    EXPECT_EQ(a->body, " 1");
    EXPECT_TRUE(a->is("a"));
    auto b = reader.next();
    ASSERT_TRUE(b);
    EXPECT_EQ(b->raw, "B:  two\r\n\tfolded \r\n");
    EXPECT_EQ(b->value(), "two\tfolded");
    EXPECT_FALSE(reader.next());
    EXPECT_EQ(m.substr(reader.end()), "body: no\r\n");
}

TEST(Headers, TakesBareLfAndMixedLineEnds) {
    EXPECT_EQ(names("A: 1\nB: 2\r\n c\nC: 3\n\nD: 4\n"), (std::vector<std::string>{"A", "B", "C"}));
    EXPECT_EQ(unfold(" x\n y\r\n\tz "), "x y\tz");
}

TEST(Headers, SkipsJunkLinesWithTheirContinuations) {
    const std::string m = sample("04-mbox-from-and-junk.eml");
    EXPECT_EQ(names(m), (std::vector<std::string>{"From", "Subject"}));
    EXPECT_EQ(find_value(m, "from"), "real@example.org");
    EXPECT_EQ(find_value(m, "SUBJECT"), "blank before the colon");
    EXPECT_EQ(m.substr(header_size(m)), "body\r\n");
}

TEST(Headers, EndsAtTheEndWithoutABlankLine) {
    const std::string m = sample("05-no-blank-line.eml");
    EXPECT_EQ(header_size(m), m.size());
    EXPECT_EQ(find_value(m, "subject"), "header without end");
    EXPECT_EQ(header_size(""), 0U);
    EXPECT_FALSE(find_value("", "x"));
}

TEST(Headers, LetsEightBitBytesThrough) {
    EXPECT_EQ(find_value("X: \xFF\xC3\xA4\n\n", "x"), "\xFF\xC3\xA4");
}

TEST(Headers, FindsFirstAndLast) {
    const std::string m = "Received: 1\r\nReceived: 2\r\nreceived: 3\r\n\r\n";
    EXPECT_EQ(find_field(m, "Received")->value(), "1");
    EXPECT_EQ(find_last_field(m, "Received")->value(), "3");
}

TEST(Headers, ReportsNoMoreFieldsThanTheBoundAndStillFindsTheEnd) {
    std::string m;
    for (std::size_t i = 0; i < kMaxHeaderFields + 1; ++i) m += "A: b\r\n";
    m += "\r\nbody";
    EXPECT_EQ(names(m).size(), kMaxHeaderFields);
    EXPECT_EQ(m.substr(header_size(m)), "body");
}

TEST(Headers, CutsAValueAtTheBound) {
    const std::string m = "A: " + std::string(kMaxFieldValue + 10, 'x') + "\r\n\r\n";
    EXPECT_EQ(find_value(m, "a")->size(), kMaxFieldValue);
}

TEST(SelectFields, KeepsTheBlankLine_Rfc9051_6_4_5_1) {
    const std::string m = "From: a\r\nTo: b\r\n c\r\nSubject: d\r\n\r\nbody";
    const std::vector<std::string> wanted = {"TO", "subject", "x"};
    EXPECT_EQ(select_fields(m, wanted, FieldSelection::only_these), "To: b\r\n c\r\nSubject: d\r\n\r\n");
    EXPECT_EQ(select_fields(m, wanted, FieldSelection::all_but_these), "From: a\r\n\r\n");
    EXPECT_EQ(select_fields(m, {}, FieldSelection::only_these), "\r\n");
}

TEST(SelectFields, AddsNoBlankLineToAHeaderWithoutOne) {
    const std::vector<std::string> wanted = {"a"};
    EXPECT_EQ(select_fields("A: b\r\nB: c\r\n", wanted, FieldSelection::only_these), "A: b\r\n");
    EXPECT_EQ(select_fields("A: b\n\n", wanted, FieldSelection::all_but_these), "\n");
}

}  // namespace
}  // namespace mailstead::mime
