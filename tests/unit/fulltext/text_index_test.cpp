#include "common/fulltext/text_index.h"

#include <fstream>
#include <stdlib.h>

#include <gtest/gtest.h>

#include "common/mime/message.h"
#include "tests/unit/mime/random_mail.h"

namespace mailstead::fulltext {
namespace {

class TextIndex : public ::testing::Test {
protected:
    TextIndex() {
        char path[] = "/tmp/fulltext-test-XXXXXX";
        directory = std::filesystem::path(::mkdtemp(path)) / "fulltext";
    }
    ~TextIndex() override { std::filesystem::remove_all(directory.parent_path()); }

    TextIndexWriter writer(std::string_view identity = "1") {
        return TextIndexWriter::open(directory, identity).value();
    }
    static MessageWords words_of(std::string_view bytes) {
        MessageWords words;
        mime::text_of_message(mime::Message::parse(bytes), [&](std::string_view piece, bool in_body) {
            words.add_text(piece, in_body);
            return true;
        });
        return words;
    }
    static MessageWords words_in(std::string_view text) {
        MessageWords words;
        words.add_text(text, true);
        return words;
    }
    std::optional<Answer> ask(std::string_view pattern, Scope scope = Scope::whole) {
        const auto reader = TextIndexReader::open(directory, "1");
        return reader.value().find(mime::fold_for_search(pattern), scope).value();
    }
    std::filesystem::path directory;
};

// Whatever the pattern, a message that contains it is possible, and one that is certain contains it.
TEST_F(TextIndex, NeverContradictsTheScan) {
    mime::RandomMail mail(2);
    std::vector<std::string> messages;
    {
        TextIndexWriter index = writer();
        for (std::uint64_t id = 1; id <= 300; ++id) {
            messages.push_back(mail.message());
            ASSERT_TRUE(index.add(id, words_of(messages.back())));
            if (id % 70 != 0) continue;
            ASSERT_TRUE(index.commit(id));
        }
        ASSERT_TRUE(index.commit(300));
    }
    std::size_t helped = 0, excluded = 0, certain = 0;
    for (int n = 0; n < 400; ++n) {
        const std::string pattern =
            mime::fold_for_search(mail.pattern(messages[mail.below(messages.size())]));
        for (const Scope scope : {Scope::body, Scope::whole}) {
            const auto answer = ask(pattern, scope);
            if (!answer) continue;
            ++helped;
            for (std::size_t i = 0; i < messages.size(); ++i) {
                const auto where = scope == Scope::body ? mime::TextScope::body : mime::TextScope::whole;
                const bool found = mime::message_contains(mime::Message::parse(messages[i]), where, pattern);
                if (found) {
                    ASSERT_TRUE(answer->possible.contains(i + 1)) << pattern << "\n in \n" << messages[i];
                } else {
                    ASSERT_FALSE(answer->certain.contains(i + 1)) << pattern << "\n in \n" << messages[i];
                }
                excluded += answer->possible.contains(i + 1) ? 0 : 1;
                certain += answer->certain.contains(i + 1) ? 1 : 0;
            }
        }
    }
    EXPECT_GT(helped, 500u);
    EXPECT_GT(excluded, 50'000u) << "it would not be worth its disk space";
    EXPECT_GT(certain, 1'000u);
}

TEST_F(TextIndex, HoldsBodiesApartFromHeaders) {
    TextIndexWriter index = writer();
    MessageWords words;
    words.add_text("Subject: plans", false);
    words.add_text("see you", true);
    ASSERT_TRUE(index.add(1, words));
    ASSERT_TRUE(index.commit(1));
    EXPECT_FALSE(ask("plan", Scope::body)->possible.contains(1));
    EXPECT_TRUE(ask("plan", Scope::whole)->certain.contains(1));
    EXPECT_TRUE(ask("se", Scope::body)->certain.contains(1));
    EXPECT_FALSE(ask(" - ")) << "no words: the index cannot help";
}

TEST_F(TextIndex, WhatIsNotCommittedDoesNotExist) {
    {
        TextIndexWriter index = writer();
        ASSERT_TRUE(index.add(1, words_in("first")));
        ASSERT_TRUE(index.commit(1));
        ASSERT_TRUE(index.add(2, words_in("second")));
    }
    EXPECT_EQ(ask("second")->high, 1u);
    EXPECT_FALSE(ask("second")->possible.contains(2));
    TextIndexWriter index = writer();
    EXPECT_EQ(index.high(), 1u);
    EXPECT_EQ(index.documents(), 1u);
    // The words of the lost message were not remembered as known.
    ASSERT_TRUE(index.add(2, words_in("second")));
    ASSERT_TRUE(index.commit(2));
    EXPECT_TRUE(ask("econ")->certain.contains(2));
}

TEST_F(TextIndex, PartialMessagesAreAlwaysPossible) {
    TextIndexWriter index = writer();
    MessageWords words = words_in("some");
    words.set_partial();
    ASSERT_TRUE(index.add(1, words));
    ASSERT_TRUE(index.add(2, words_in("other")));
    MessageWords large;
    large.add_text(std::string(kMaxIndexedText, 'x'), true);
    large.add_text("more", true);
    ASSERT_TRUE(index.add(3, large));
    ASSERT_TRUE(index.commit(3));
    const auto answer = ask("absent");
    EXPECT_TRUE(answer->possible.contains(1));
    EXPECT_FALSE(answer->certain.contains(1));
    EXPECT_FALSE(answer->possible.contains(2));
    EXPECT_TRUE(answer->possible.contains(3));
}

TEST_F(TextIndex, RemovedMessagesAreGoneAndTheirWordsCanComeBack) {
    TextIndexWriter index = writer();
    ASSERT_TRUE(index.add(1, words_in("unique")));
    ASSERT_TRUE(index.commit(1));
    ASSERT_TRUE(index.remove(1));
    ASSERT_TRUE(index.remove(1)) << "no matter";
    ASSERT_TRUE(index.commit(1));
    EXPECT_FALSE(ask("unique")->possible.contains(1));
    EXPECT_EQ(index.messages(0, 10).value().size(), 0u);
    ASSERT_TRUE(index.add(2, words_in("unique")));
    ASSERT_TRUE(index.commit(2));
    EXPECT_TRUE(ask("niqu")->certain.contains(2));
}

// The dictionary grows over several chunks, in several commits.
TEST_F(TextIndex, FindsWordsInEveryChunkOfTheDictionary) {
    {
        std::optional<TextIndexWriter> index = writer();
        for (std::uint64_t id = 1; id <= 20; ++id) {
            std::string text;
            for (int n = 0; n < 1'500; ++n) text += "w" + std::to_string(id) + "x" + std::to_string(n) + "y ";
            ASSERT_TRUE(index->add(id, words_in(text)));
            if (id % 3 != 0) continue;
            ASSERT_TRUE(index->commit(id));
            index.reset();
            index = writer();
        }
        ASSERT_TRUE(index->commit(20));
    }
    for (std::uint64_t id = 1; id <= 20; ++id) {
        const auto answer = ask("w" + std::to_string(id) + "x1499");
        ASSERT_TRUE(answer);
        EXPECT_TRUE(answer->certain.contains(id)) << id;
        EXPECT_EQ(answer->possible.count(), 1u) << id;
    }
    EXPECT_FALSE(ask("w")) << "too many words contain it";
}

TEST_F(TextIndex, AnotherHistoryOfTheAccountBeginsAnew) {
    {
        TextIndexWriter index = writer("1");
        ASSERT_TRUE(index.add(1, words_in("old")));
        ASSERT_TRUE(index.commit(1));
    }
    EXPECT_FALSE(TextIndexReader::open(directory, "2"));
    TextIndexWriter index = writer("2");
    EXPECT_EQ(index.high(), 0u);
    EXPECT_EQ(index.documents(), 0u);
}

TEST_F(TextIndex, ADamagedOneIsRefusedAndBegunAnew) {
    {
        TextIndexWriter index = writer();
        for (std::uint64_t id = 1; id <= 50; ++id)
            ASSERT_TRUE(index.add(id, words_in("word" + std::to_string(id))));
        ASSERT_TRUE(index.commit(50));
    }
    std::ofstream(directory / "iamglass", std::ios::trunc) << "nonsense";
    EXPECT_FALSE(TextIndexReader::open(directory, "1"));
    EXPECT_EQ(writer().high(), 0u);
    EXPECT_EQ(TextIndexReader::open(directory, "1").value().high(), 0u);
}

}  // namespace
}  // namespace mailstead::fulltext
