#include "admin/json.h"

#include <gtest/gtest.h>

namespace mailstead::admin {
namespace {

TEST(Json, PutsCommasWhereTheyBelong) {
    JsonWriter json;
    json.object_begin().member("a", std::uint64_t{1}).key("b").array_begin().value("x").value(true).null();
    json.object_begin().object_end().array_begin().array_end().array_end();
    json.member("c", std::vector<std::string>{"y", "z"}).object_end();
    EXPECT_EQ(json.text(), R"({"a":1,"b":["x",true,null,{},[]],"c":["y","z"]})");
}

TEST(Json, EscapesWhatMustBe_Rfc8259_7) {
    JsonWriter json;
    json.value(std::string("a\"b\\c\n\x01\x7f\xC3\xBC", 10));
    EXPECT_EQ(json.text(), "\"a\\\"b\\\\c\\u000a\\u0001\x7f\xC3\xBC\"");
    JsonWriter broken;
    broken.value(std::string("a\xFF"));
    EXPECT_EQ(broken.text(), "\"a\\ufffd\"");
}

}  // namespace
}  // namespace mailstead::admin
