#include "imapd/commands/search_filter.h"

#include <gtest/gtest.h>

namespace mailstead::imapd::commands {
namespace {

TEST(ImapSearchFilter, FindsWordsInAnyCase) {
    const std::string_view text = "The Quick bRown fox";
    EXPECT_EQ(find_word(text, "quick"), 4u);
    EXPECT_EQ(find_word(text, "brown"), 10u);
    EXPECT_EQ(find_word(text, "fox"), 16u);
    EXPECT_EQ(find_word(text, "foxy"), std::string_view::npos);
    EXPECT_EQ(find_word(text, "quickly"), std::string_view::npos);
    EXPECT_EQ(find_word("", "a"), std::string_view::npos);
    EXPECT_EQ(find_word("tTtTa", "tta"), 2u);
    EXPECT_EQ(find_word("x1", "1"), 1u);
}

TEST(ImapSearchFilter, PassesOverPlainMessagesAlone) {
    const std::vector<std::string> words = {"needle"};
    EXPECT_TRUE(cannot_match("Subject: x\r\n\r\nhay\r\n", words));
    EXPECT_FALSE(cannot_match("Subject: x\r\n\r\na NEEDLE in hay\r\n", words));
    for (const std::string_view encoded :
         {"Content-Transfer-Encoding: BASE64\r\n\r\nbmVlZGxl\r\n",
          "Content-Transfer-Encoding: Quoted-Printable\r\n\r\nnee=\r\ndle\r\n",
          "Subject: =?utf-8?q?n=65edle?=\r\n\r\n", "Subject: x\r\n\r\n\xEF\xBD\x8E\r\n",
          "Subject: x\r\n\r\n\x1B$Bx\x1B(B\r\n",
          "Content-Type: text/plain; charset=UTF-7\r\n\r\n+AG4-eedle\r\n",
          "Content-Disposition: x; filename*=utf-8''n%65edle\r\n\r\n"}) {
        EXPECT_FALSE(cannot_match(encoded, words)) << encoded;
    }
    EXPECT_FALSE(cannot_match("Subject: x\r\n\r\nhay\r\n", {}));
}

SearchNode text_node(std::string_view pattern) {
    SearchNode node;
    node.op = proto::SearchOp::body;
    node.pattern = std::string(pattern);
    node.plain_pattern = true;
    return node;
}

TEST(ImapSearchFilter, TakesWordsThatEveryMatchMustHold) {
    EXPECT_EQ(indispensable_words(text_node("AN EXAMPLE PHRASE")), std::vector<std::string>{"example"});
    EXPECT_TRUE(indispensable_words(text_node("AB")).empty());
    SearchNode both;
    both.op = proto::SearchOp::all_of;
    both.children = {text_node("ONE1"), text_node("TWO2")};
    EXPECT_EQ(indispensable_words(both).size(), 2u);
    SearchNode either = both;
    either.op = proto::SearchOp::any_of;
    EXPECT_TRUE(indispensable_words(either).empty());
}

}  // namespace
}  // namespace mailstead::imapd::commands
