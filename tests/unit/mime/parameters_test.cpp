#include "common/mime/parameters.h"

#include <gtest/gtest.h>

namespace mailstead::mime {
namespace {

std::string written(std::string_view body) {
    const ParameterizedValue parsed = parse_parameterized(body);
    std::string out = parsed.value;
    for (const Parameter& p : parsed.parameters)
        out += "|" + p.name + (p.extended ? "*" : "") + "=" + p.value;
    return out;
}

TEST(Parameters, ReadsWhatIsRightAndWhatIsNearlyRight) {
    struct Case {
        std::string_view name, body, expected;
    };
    for (const Case& c : {
             Case{"plain", " text/plain; charset=utf-8", "text/plain|charset=utf-8"},
             {"case", "TEXT/HTML; CharSet=\"UTF-8\"", "text/html|charset=UTF-8"},
             {"comments", "text/plain (a); (b) charset (c) = (d) us-ascii (Plain (nested) text)",
              "text/plain|charset=us-ascii"},
             {"quoted pair", R"(a/b; name="x\"y\\z")", R"(a/b|name=x"y\z)"},
             {"folded", "a/b;\r\n\tname=\"two\r\n words\"", "a/b|name=two words"},
             {"blanks around slash", "text / plain;x=y", "text/plain|x=y"},
             {"missing semicolon", "text/plain charset=utf-8", "text/plain|charset=utf-8"},
             {"semicolons", "a/b;;; ;x=1;;y=2;", "a/b|x=1|y=2"},
             {"bare file name", "attachment; filename=my file (1).pdf", "attachment|filename=my file"},
             {"bare file name without blank before", "attachment; filename=my file(1).pdf; size=3",
              "attachment|filename=my file(1).pdf|size=3"},
             {"missing semicolon between", "a/b; x=1 y=2", "a/b|x=1|y=2"},
             {"unterminated", "a/b; x=\"abc", "a/b|x=abc"},
             {"no value", "a/b; x; y=; z=1", "a/b|y=|z=1"},
             {"no name", "a/b; =x; y=1", "a/b|y=1"},
             {"empty", "", ""},
             {"only quote", "\"", ""},
         }) {
        EXPECT_EQ(written(c.body), c.expected) << c.name;
    }
}

TEST(Parameters, JoinsAndDecodesContinuations_Rfc2231) {
    struct Case {
        std::string_view name, body, expected;
    };
    for (const Case& c : {
             Case{"RFC 2231, 3",
                  "message/external-body; access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub\"",
                  "message/external-body|access-type=URL|url=ftp://cs.utk.edu/pub"},
             {"RFC 2231, 4", "application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
              "application/x-stuff|title*=This is ***fun***"},
             {"RFC 2231, 4.1",
              "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; "
              "title*1*=%2A%2A%2Afun%2A%2A%2A%20; "
              "title*2=\"isn't it!\"",
              "application/x-stuff|title*=This is even more ***fun*** isn't it!"},
             {"any order", "a/b; x*2=c; x*0=a; y=1; x*1=b", "a/b|x=abc|y=1"},
             {"gap", "a/b; x*0=a; x*2=c", "a/b|x=a"},
             {"twice", "a/b; x*0=a; x*0=q; x*1=b", "a/b|x=ab"},
             {"cut inside a character", "a/b; x*0*=utf-8''%C3; x*1*=%A4", "a/b|x*=\xC3\xA4"},
             {"latin", "a/b; x*=iso-8859-1''%E4", "a/b|x*=\xC3\xA4"},
             {"no charset", "a/b; x*=%41%zz", "a/b|x*=A%zz"},
             {"unknown charset", "a/b; x*=nonsense''%C3%A4", "a/b|x*=\xC3\xA4"},
             {"not a section", "a/b; x*y=1; *=2; x*99999999999=3", "a/b|x*y=1|*=2|x*99999999999=3"},
         }) {
        EXPECT_EQ(written(c.body), c.expected) << c.name;
    }
}

TEST(Parameters, TheExtendedFormIsPreferred) {
    const auto parsed = parse_parameterized("attachment; filename=\"a.txt\"; filename*=utf-8''%C3%A4.txt");
    EXPECT_EQ(*parsed.find("filename"), "\xC3\xA4.txt");
    EXPECT_EQ(parsed.find("size"), nullptr);
}

TEST(Parameters, IgnoresWhatIsPastTheBounds) {
    std::string body = "a/b";
    for (std::size_t i = 0; i <= kMaxParameters; ++i) body += ";p" + std::to_string(i) + "=v";
    const auto parsed = parse_parameterized(body);
    EXPECT_EQ(parsed.parameters.size(), kMaxParameters);
    EXPECT_EQ(
        parse_parameterized("a/b;x=" + std::string(kMaxParameterValue + 1, 'v')).parameters[0].value.size(),
        kMaxParameterValue);
}

}  // namespace
}  // namespace mailstead::mime
