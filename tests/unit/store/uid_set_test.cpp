#include "common/store/uid_set.h"

#include <set>

#include <gtest/gtest.h>

#include "tests/unit/store/dice.h"

namespace mailstead::store {
namespace {

std::set<std::uint32_t> members(const UidSet& set) {
    std::set<std::uint32_t> all;
    set.each([&](Uid uid) { all.insert(uid.value); });
    return all;
}

// Ranges are sorted and never touch: equality of sets is equality of ranges.
bool is_canonical(const UidSet& set) {
    const auto& ranges = set.ranges();
    for (std::size_t n = 0; n < ranges.size(); ++n) {
        if (ranges[n].first > ranges[n].last) return false;
        if (n > 0 && std::uint64_t{ranges[n - 1].last} + 1 >= ranges[n].first) return false;
    }
    return true;
}

UidSet random_set(Dice& random, std::set<std::uint32_t>& model) {
    UidSet set;
    for (unsigned n = random() % 12; n > 0; --n) {
        const std::uint32_t first = 1 + random() % 60;
        const UidRange range{first, first + random() % 9};
        set.add(range);
        for (std::uint32_t uid = range.first; uid <= range.last; ++uid) model.insert(uid);
    }
    return set;
}

TEST(UidSet, BehavesAsASetOfNumbers) {
    Dice random(1);
    for (int round = 0; round < 2'000; ++round) {
        std::set<std::uint32_t> a_model;
        std::set<std::uint32_t> b_model;
        UidSet a = random_set(random, a_model);
        const UidSet b = random_set(random, b_model);
        ASSERT_EQ(members(a), a_model);
        ASSERT_TRUE(is_canonical(a));
        std::set<std::uint32_t> both, without, either = a_model;
        for (const std::uint32_t uid : a_model) (b_model.contains(uid) ? both : without).insert(uid);
        either.insert(b_model.begin(), b_model.end());
        ASSERT_EQ(members(a.intersected(b)), both);
        ASSERT_EQ(members(a.without(b)), without);
        ASSERT_EQ(members(a.united(b)), either);
        ASSERT_TRUE(is_canonical(a.intersected(b)) && is_canonical(a.without(b)) &&
                    is_canonical(a.united(b)));
        ASSERT_EQ(a.count(), a_model.size());
        const std::uint32_t probe = 1 + random() % 70;
        ASSERT_EQ(a.contains(Uid(probe)), a_model.contains(probe));
        const UidRange cut{probe, probe + random() % 20};
        a.remove(cut);
        for (std::uint32_t uid = cut.first; uid <= cut.last; ++uid) a_model.erase(uid);
        ASSERT_EQ(members(a), a_model);
        ASSERT_TRUE(is_canonical(a));
    }
}

TEST(UidSet, SurvivesItsEncoding) {
    Dice random(2);
    for (int round = 0; round < 200; ++round) {
        std::set<std::uint32_t> model;
        const UidSet set = random_set(random, model);
        ByteWriter out;
        write(out, set);
        ByteReader in(out.bytes());
        EXPECT_EQ(read_uid_set(in), set);
        EXPECT_TRUE(in.ok() && in.at_end());
    }
    ByteWriter out;
    write(out, UidSet::all());
    ByteReader in(out.bytes());
    EXPECT_EQ(read_uid_set(in), UidSet::all());
}

TEST(UidSet, RefusesRangesOutOfOrder) {
    ByteWriter zero_gap;
    zero_gap.varint(2);
    for (const std::uint64_t v : {5u, 3u, 0u, 1u}) zero_gap.varint(v);
    ByteReader in(zero_gap.bytes());
    EXPECT_TRUE(read_uid_set(in).empty());
    EXPECT_FALSE(in.ok());

    ByteWriter beyond;
    beyond.varint(1);
    beyond.varint(UINT32_MAX);
    beyond.varint(1);
    ByteReader over(beyond.bytes());
    read_uid_set(over);
    EXPECT_FALSE(over.ok());
}

TEST(UidSet, ReachesTheHighestUid) {
    UidSet set({{UINT32_MAX - 1, UINT32_MAX}});
    set.add(Uid(UINT32_MAX));
    EXPECT_EQ(set.count(), 2u);
    set.remove({UINT32_MAX, UINT32_MAX});
    EXPECT_EQ(set, UidSet({{UINT32_MAX - 1, UINT32_MAX - 1}}));
    EXPECT_EQ(UidSet::all().count(), std::uint64_t{UINT32_MAX});
    std::uint64_t visits = 0;
    UidSet({{UINT32_MAX, UINT32_MAX}}).each([&](Uid) { ++visits; });
    EXPECT_EQ(visits, 1u);
}

TEST(UidRuns, NumbersMessagesInOrder) {
    Dice random(3);
    for (int round = 0; round < 1'000; ++round) {
        std::set<std::uint32_t> model;
        UidRuns runs(random_set(random, model));
        ASSERT_EQ(runs.count(), model.size());
        std::uint32_t number = 0;
        for (const std::uint32_t uid : model) {
            ++number;
            ASSERT_EQ(runs.uid_of(number), Uid(uid));
            ASSERT_EQ(runs.number_of(Uid(uid)), number);
        }
        ASSERT_EQ(runs.uid_of(0), Uid(0));
        ASSERT_EQ(runs.uid_of(number + 1), Uid(0));
        const std::uint32_t probe = 1 + random() % 70;
        ASSERT_EQ(runs.number_of(Uid(probe)) != 0, model.contains(probe));
        const std::uint32_t first = 1 + random() % 20;
        const std::uint32_t last = first + random() % 20;
        std::set<std::uint32_t> expected;
        for (std::uint32_t n = first; n <= last && n <= runs.count(); ++n)
            expected.insert(runs.uid_of(n).value);
        ASSERT_EQ(members(runs.uids_of(first, last)), expected);

        runs.append({100, 100 + random() % 3});
        const UidSet before = runs.uids();
        const UidRange cut{probe, probe + random() % 40};
        runs.remove(cut);
        UidSet after = before;
        after.remove(cut);
        ASSERT_EQ(runs.uids(), after);
        ASSERT_EQ(runs.count(), after.count());
    }
}

}  // namespace
}  // namespace mailstead::store
