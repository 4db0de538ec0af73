#include "common/ipc/notices.h"

#include "tests/unit/net/support.h"
#include "tests/unit/net/temporary_folder.h"

namespace mailstead::ipc {
namespace {

using namespace net::test;

ChangeNotice notice(std::uint32_t account, std::vector<std::uint32_t> mailboxes, std::uint64_t modseq) {
    ChangeNotice result{AccountId(account), {}, ModSeq(modseq)};
    for (const std::uint32_t mailbox : mailboxes) result.mailboxes.emplace_back(mailbox);
    return result;
}

net::Task<void> receive(NoticeReceiver& receiver, net::IoResult<Received>& into) {
    into = co_await receiver.receive(kLong);
}

class Notices : public ::testing::Test {
protected:
    // Everything that is there.
    Received take() {
        net::IoResult<Received> result = Received{};
        loop.tasks.spawn(receive(*receiver, result));
        loop.run();
        EXPECT_TRUE(result);
        return result ? *result : Received{};
    }
    void bind() {
        auto socket = bind_notices(path);
        ASSERT_TRUE(socket) << socket.error().what;
        receiver.emplace(loop.context, *std::move(socket));
    }
    TemporaryFolder folder;
    std::string path = folder.file("imapd.notify");
    Loop loop;
    std::optional<NoticeReceiver> receiver;
    NoticeSender sender{path};
};

TEST_F(Notices, OfOneAccountAreMerged) {
    bind();
    const std::vector<ChangeNotice> first{notice(7, {1, 2}, 10), notice(8, {1}, 5), notice(7, {2, 3}, 12)};
    const std::vector<ChangeNotice> second{notice(7, {4}, 13)};
    EXPECT_TRUE(sender.send(first));
    EXPECT_TRUE(sender.send(second));
    const Received received = take();
    EXPECT_FALSE(received.lost);
    EXPECT_EQ(received.notices, (std::vector<ChangeNotice>{notice(7, {1, 2, 3, 4}, 13), notice(8, {1}, 5)}));
}

TEST_F(Notices, NoMailboxesMeansAllOfThem) {
    bind();
    const std::vector<ChangeNotice> both{notice(7, {1}, 1), notice(7, {}, 2)};
    EXPECT_TRUE(sender.send(both));
    EXPECT_EQ(take().notices, (std::vector<ChangeNotice>{notice(7, {}, 2)}));
}

TEST_F(Notices, AGapIsReported) {
    bind();
    const std::vector<ChangeNotice> one{notice(7, {1}, 1)};
    EXPECT_TRUE(sender.send(one));
    EXPECT_FALSE(take().lost);
    receiver.reset();
    ::unlink(path.c_str());
    EXPECT_FALSE(sender.send(one)) << "nobody is there";
    bind();
    EXPECT_TRUE(sender.send(one)) << "reconnects by itself";
    EXPECT_TRUE(take().lost);
    EXPECT_TRUE(sender.send(one));
    EXPECT_FALSE(take().lost);
}

TEST_F(Notices, WhenTheLastOneIsLostTheReceiverHearsOfItAsSoonAsItHasRoom) {
    bind();
    const std::vector<ChangeNotice> one{notice(7, {1}, 1)};
    bool all_sent = true;
    for (int i = 0; i < 100'000 && all_sent; ++i) all_sent = sender.send(one);
    ASSERT_FALSE(all_sent) << "the receiver's buffer never filled up";
    // All that has room; then comes what the sender sends by itself.
    bool lost = take().lost;
    if (!lost) lost = take().lost;
    EXPECT_TRUE(lost);
}

TEST_F(Notices, ASenderStartedAnewMakesTheReceiverLookEverywhere) {
    bind();
    const std::vector<ChangeNotice> one{notice(7, {1}, 1)};
    EXPECT_TRUE(sender.send(one));
    EXPECT_FALSE(take().lost);
    NoticeSender next(path);
    EXPECT_TRUE(next.send_started());
    EXPECT_TRUE(take().lost);
}

TEST_F(Notices, ThatAnIndexWasReplacedSurvivesMerging) {
    bind();
    ChangeNotice replaced = notice(7, {}, 3);
    replaced.index = ChangeNotice::Index::replaced;
    const std::vector<ChangeNotice> both{replaced, notice(7, {1}, 4)};
    EXPECT_TRUE(sender.send(both));
    const Received received = take();
    ASSERT_EQ(received.notices.size(), 1u);
    EXPECT_EQ(received.notices.front().index, ChangeNotice::Index::replaced);
}

TEST_F(Notices, ABurstLargerThanADatagramArrivesWhole) {
    bind();
    std::vector<ChangeNotice> many;
    for (std::uint32_t i = 1; i <= 5'000; ++i) many.push_back(notice(i, {1, 2, 3}, i));
    EXPECT_TRUE(sender.send(many));
    const Received received = take();
    EXPECT_FALSE(received.lost);
    EXPECT_EQ(received.notices.size(), many.size());
}

TEST_F(Notices, MalformedOnesAreRefused) {
    const std::string good = NoticeBatch{1, {notice(7, {1, 2}, 3)}}.encode();
    EXPECT_TRUE(NoticeBatch::decode(good));
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(NoticeBatch::decode(good.substr(0, size))) << size;
    EXPECT_FALSE(NoticeBatch::decode(good + "x"));
}

}  // namespace
}  // namespace mailstead::ipc
