// Threads by the rules of RFC 5256, 3, as tables: messages in mailbox order, and the answer.
#include <chrono>

#include <gtest/gtest.h>

#include "imapd/commands/thread_forest.h"

namespace mailstead::imapd::commands {
namespace {

using proto::ThreadAlgorithm;

struct Letter {
    std::int64_t sent;
    std::uint64_t id;
    std::vector<std::uint64_t> references;
    std::string_view subject = "";
    bool is_reply = false;
    std::int64_t arrival = 0;
};

ThreadInput input_of(const std::vector<Letter>& letters) {
    ThreadInput input;
    for (std::uint32_t n = 0; n < letters.size(); ++n) {
        const Letter& l = letters[n];
        input.add({n + 1, l.sent, l.arrival == 0 ? l.sent : l.arrival, l.id, l.is_reply}, l.subject,
                  l.references);
    }
    return input;
}

std::string threads(ThreadAlgorithm algorithm, const std::vector<Letter>& letters) {
    std::string out;
    ThreadForest::build(input_of(letters), algorithm).write(out, nullptr);
    EXPECT_TRUE(out.starts_with("* THREAD") && out.ends_with("\r\n")) << out;
    return out.substr(8, out.size() - 10);
}

struct Case {
    std::string_view name;
    ThreadAlgorithm algorithm;
    std::vector<Letter> letters;
    std::string_view expected;
};

TEST(ImapThread, FollowsTheRules_Rfc5256_3) {
    const ThreadAlgorithm refs = ThreadAlgorithm::references;
    const ThreadAlgorithm subject = ThreadAlgorithm::ordered_subject;
    const Case cases[] = {
        {"nothing", refs, {}, ""},
        {"no relations", refs, {{2, 1, {}}, {1, 2, {}}}, " (2)(1)"},
        {"a chain", refs, {{1, 1, {}}, {2, 2, {1}}, {3, 3, {1, 2}}}, " (1 2 3)"},
        {"the split of RFC 5256, 4",
         refs,
         {{1, 1, {}}, {2, 2, {1}}, {3, 3, {1, 2}}, {4, 4, {1, 2, 3}}, {5, 5, {1, 2}}, {6, 6, {1, 2, 5}}},
         " (1 2 (3 4)(5 6))"},
        {"answers before what they answer", refs, {{3, 3, {1, 2}}, {2, 2, {1}}, {1, 1, {}}}, " (3 2 1)"},
        {"siblings by date", refs, {{1, 1, {}}, {9, 2, {1}}, {5, 3, {1}}}, " (1 (3)(2))"},
        {"equal dates in mailbox order", refs, {{1, 1, {}}, {5, 2, {1}}, {5, 3, {1}}}, " (1 (2)(3))"},
        {"(1) a missing parent of two", refs, {{1, 2, {1}}, {2, 3, {1}}}, " ((1)(2))"},
        {"(3) a missing parent of one", refs, {{1, 2, {1}}}, " (1)"},
        {"(3) missing ones in between", refs, {{1, 1, {}}, {2, 9, {1, 2, 3}}}, " (1 2)"},
        {"(3) a missing parent of a missing parent of two",
         refs,
         {{1, 8, {1, 2}}, {2, 9, {1, 2}}},
         " ((1)(2))"},
        {"(1) duplicates of an id", refs, {{1, 1, {}}, {2, 1, {}}, {3, 3, {1}}}, " (1 3)(2)"},
        {"(1) without an id", refs, {{1, 0, {}}, {2, 0, {}}, {3, 3, {}}}, " (1)(2)(3)"},
        {"(1) its own parent", refs, {{1, 1, {1}}, {2, 2, {2, 1, 2}}}, " (2 1)"},
        {"(1) a loop of two", refs, {{1, 1, {2}}, {2, 2, {1}}}, " (2 1)"},
        {"(1 A) a link that is there stays",
         refs,
         {{1, 1, {}}, {2, 2, {}}, {3, 3, {1, 2}}, {4, 4, {9, 2}}},
         " (1 2 (3)(4))"},
        {"(1 B) its own references count more than those of others",
         refs,
         {{1, 1, {}}, {2, 2, {}}, {3, 4, {1, 3}}, {4, 3, {2}}},
         " (1)(2 4 3)"},
        {"(5) equal subjects, a reply", refs, {{1, 1, {}, "X"}, {2, 2, {}, "X", true}}, " (1 2)"},
        {"(5) equal subjects, no reply", refs, {{1, 1, {}, "X"}, {2, 2, {}, "X"}}, " ((1)(2))"},
        {"(5) the reply came first", refs, {{1, 1, {}, "X", true}, {2, 2, {}, "X"}}, " (2 1)"},
        {"(5) three alike", refs, {{1, 1, {}, "X"}, {2, 2, {}, "X"}, {3, 3, {}, "X"}}, " ((1)(2)(3))"},
        {"(5) empty subjects are not alike", refs, {{1, 1, {}, ""}, {2, 2, {}, ""}}, " (1)(2)"},
        {"(5) two dummies",
         refs,
         {{1, 2, {1}, "X"}, {2, 3, {1}, "X"}, {3, 5, {4}, "X"}, {4, 6, {4}, "X"}},
         " ((1)(2)(3)(4))"},
        {"(5) a dummy and a message",
         refs,
         {{1, 2, {1}, "X"}, {2, 3, {1}, "X"}, {3, 5, {}, "X"}},
         " ((1)(2)(3))"},
        {"(5) a message and a later dummy",
         refs,
         {{1, 1, {}, "X"}, {2, 2, {9}, "X"}, {3, 3, {9}, "X"}},
         " ((1)(2)(3))"},
        {"(6) a dummy stands where its first child does",
         refs,
         {{5, 5, {}, "A"}, {9, 2, {1}, "B"}, {4, 3, {1}, "B"}, {6, 6, {}, "C"}},
         " ((3)(2))(1)(4)"},
        {"REFS does not look at subjects",
         ThreadAlgorithm::refs,
         {{1, 1, {}, "X"}, {2, 2, {}, "X", true}},
         " (1)(2)"},
        {"REFS: the thread with the latest arrival is the last",
         ThreadAlgorithm::refs,
         {{1, 1, {}, "", false, 10}, {2, 2, {}, "", false, 20}, {3, 3, {1}, "", false, 30}},
         " (2)(1 3)"},
        {"REFS: siblings by sent date",
         ThreadAlgorithm::refs,
         {{1, 1, {}, "", false, 1}, {9, 2, {1}, "", false, 2}, {5, 3, {1}, "", false, 3}},
         " (1 (3)(2))"},
        {"ORDEREDSUBJECT",
         subject,
         {{3, 1, {}, "B"}, {1, 2, {}, "A"}, {4, 3, {}, "A"}, {2, 4, {}, "A"}},
         " (2 (4)(3))(1)"},
        {"ORDEREDSUBJECT: no grandchildren", subject, {{1, 1, {}, "A"}, {2, 2, {}, "A"}}, " (1 2)"},
        {"ORDEREDSUBJECT: threads by their first message",
         subject,
         {{5, 1, {}, "A"}, {4, 2, {}, "B"}, {6, 3, {}, "B"}, {7, 4, {}, "A"}},
         " (2 3)(1 4)"},
    };
    for (const Case& c : cases) EXPECT_EQ(threads(c.algorithm, c.letters), c.expected) << c.name;
}

TEST(ImapThread, WritesTheTreeOfTheRfc_Rfc5256_4) {
    // The example's second thread: 3 and 6, then 4 with 23, and 44 with 7 with 96.
    ThreadInput input;
    const auto add = [&](std::uint32_t uid, std::vector<std::uint64_t> references) {
        input.add({uid, uid, uid, uid, false}, "", references);
    };
    add(2, {});
    add(3, {});
    add(4, {3, 6});
    add(6, {3});
    add(7, {44});
    add(23, {4});
    add(44, {6});
    add(96, {7});
    std::string out;
    ThreadForest::build(input, ThreadAlgorithm::refs).write(out, nullptr);
    // REFS: the larger arrival last; siblings by date.
    EXPECT_EQ(out, "* THREAD (2)(3 6 (4 23)(44 7 96))\r\n");
}

// What a sender may make: depth, loops, many ids. Time is bounded far above what linear work takes.
TEST(ImapThread, DeepAndLoopingReferencesTakeLinearTime) {
    constexpr std::uint32_t kMany = 100'000;
    const auto begin = std::chrono::steady_clock::now();
    std::vector<Letter> chain;
    for (std::uint64_t n = 1; n <= kMany; ++n) chain.push_back({static_cast<std::int64_t>(n), n, {n - 1}});
    EXPECT_EQ(threads(ThreadAlgorithm::references, chain).substr(0, 8), " (1 2 3 ");
    std::reverse(chain.begin(), chain.end());
    threads(ThreadAlgorithm::references, chain);
    // Each message tries to close a loop over a chain of all dummies.
    std::vector<Letter> loops;
    for (std::uint64_t n = 1; n <= kMany; ++n) {
        const std::uint64_t dummy = kMany + n;
        loops.push_back({1, n, {dummy, dummy + 1, kMany + 1, dummy, kMany + 1}});
    }
    threads(ThreadAlgorithm::references, loops);
    // A comb: each level splits.
    std::vector<Letter> comb;
    for (std::uint64_t n = 1; n <= kMany; ++n) {
        comb.push_back({static_cast<std::int64_t>(n), n, {n < 3 ? 1 : n - 2 + n % 2}});
    }
    const std::string nested = threads(ThreadAlgorithm::refs, comb);
    EXPECT_EQ(std::count(nested.begin(), nested.end(), '('), std::count(nested.begin(), nested.end(), ')'));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

// Every message comes out once, whatever refers to what.
TEST(ImapThread, EveryMessageComesOutOnce) {
    std::uint64_t state = 42;
    const auto random = [&](std::uint64_t below) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (state >> 33) % below;
    };
    for (int round = 0; round < 500; ++round) {
        std::vector<Letter> letters;
        const std::uint64_t count = 1 + random(12);
        static constexpr std::string_view kSubjects[] = {"", "A", "B"};
        for (std::uint64_t n = 0; n < count; ++n) {
            Letter letter{
                static_cast<std::int64_t>(random(5)), random(10), {}, kSubjects[random(3)], random(2) == 0};
            for (std::uint64_t r = random(4); r > 0; --r) letter.references.push_back(1 + random(12));
            letters.push_back(letter);
        }
        for (const auto algorithm :
             {ThreadAlgorithm::references, ThreadAlgorithm::refs, ThreadAlgorithm::ordered_subject}) {
            const std::string out = threads(algorithm, letters);
            std::vector<std::uint32_t> seen(count + 1, 0);
            for (std::size_t at = 0; at < out.size();) {
                if (std::isdigit(static_cast<unsigned char>(out[at])) == 0) {
                    ++at;
                    continue;
                }
                std::size_t used = 0;
                const auto n = std::stoul(out.substr(at), &used);
                ASSERT_LE(n, count);
                ++seen[n];
                at += used;
            }
            for (std::uint64_t n = 1; n <= count; ++n) EXPECT_EQ(seen[n], 1u) << out;
            EXPECT_EQ(out.find("()"), std::string::npos) << out;
        }
    }
}

}  // namespace
}  // namespace mailstead::imapd::commands
