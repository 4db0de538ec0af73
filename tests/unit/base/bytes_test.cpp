#include "common/base/bytes.h"

#include <gtest/gtest.h>

namespace mailstead {
namespace {

TEST(Bytes, WhatIsWrittenReadsBack) {
    ByteWriter out;
    out.u8(0xAB);
    out.fixed32(0xDEADBEEF);
    out.fixed64(0x0123456789ABCDEF);
    out.varint(300);
    out.boolean(true);
    out.string("text");
    out.raw("raw");
    ByteReader in(out.bytes());
    EXPECT_EQ(in.u8(), 0xAB);
    EXPECT_EQ(in.fixed32(), 0xDEADBEEFU);
    EXPECT_EQ(in.fixed64(), 0x0123456789ABCDEFU);
    EXPECT_EQ(in.varint(), 300U);
    EXPECT_TRUE(in.boolean());
    EXPECT_EQ(in.string(), "text");
    EXPECT_EQ(in.raw(3), "raw");
    EXPECT_TRUE(in.ok());
    EXPECT_TRUE(in.at_end());
}

TEST(Bytes, VarintsAtTheirEdges) {
    for (const std::uint64_t number :
         {0ULL, 127ULL, 128ULL, 16383ULL, 16384ULL, 0xFFFFFFFFULL, 0x100000000ULL, UINT64_MAX - 0ULL}) {
        ByteWriter out;
        out.varint(number);
        ByteReader in(out.bytes());
        EXPECT_EQ(in.varint(), number);
        EXPECT_TRUE(in.ok() && in.at_end());
        ByteReader narrow(out.bytes());
        narrow.varint32();
        EXPECT_EQ(narrow.ok(), number <= UINT32_MAX) << number;
    }
}

TEST(Bytes, OverlongVarintsAreRefused) {
    ByteReader in(std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11));
    in.varint();
    EXPECT_FALSE(in.ok());
}

TEST(Bytes, ReadingPastTheEndGivesNothingForEver) {
    ByteReader in("ab");
    EXPECT_EQ(in.fixed32(), 0U);
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.u8(), 0) << "although two bytes are left";
    EXPECT_EQ(in.string(), "");
    EXPECT_EQ(in.count(), 0U);
}

TEST(Bytes, LyingLengthsAndCountsDoNotAllocate) {
    ByteWriter out;
    out.varint(UINT64_MAX);
    ByteReader as_string(out.bytes());
    EXPECT_EQ(as_string.string(), "");
    EXPECT_FALSE(as_string.ok());
    ByteReader as_count(out.bytes());
    EXPECT_EQ(as_count.count(), 0U);
    EXPECT_FALSE(as_count.ok());
}

TEST(Bytes, EveryTruncationIsNoticed) {
    ByteWriter out;
    out.fixed64(1);
    out.string("some text");
    out.varint(1 << 20);
    for (std::size_t length = 0; length < out.bytes().size(); ++length) {
        ByteReader in(std::string_view(out.bytes()).substr(0, length));
        in.fixed64();
        in.string();
        in.varint();
        EXPECT_FALSE(in.ok()) << length;
    }
}

}  // namespace
}  // namespace mailstead
