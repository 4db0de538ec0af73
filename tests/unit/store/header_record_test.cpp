#include "common/store/header_record.h"

#include <gtest/gtest.h>

#include "common/mime/charset.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

struct Made {
    explicit Made(std::string_view message)
        : cache(build_fetch_cache(message)), bytes(build_header_record(CachedMessage::read(cache).value())) {}
    HeaderRecord record() const { return HeaderRecord::read(bytes).value(); }
    CachedMessage cached() const { return CachedMessage::read(cache).value(); }
    std::string cache, bytes;
};

TEST(HeaderRecord, HoldsFoldedTexts) {
    const Made made(
        "From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\r\nTo: a@x,\r\n b@x\r\nCc: c@x\r\nCc: d@x\r\n"
        "Subject:\r\n\r\n");
    const HeaderRecord record = made.record();
    EXPECT_EQ(record.text(HeaderText::from), mime::fold_for_search("J\u00f6rg <j@example.org>"));
    EXPECT_EQ(record.text(HeaderText::to), "A@X, B@X");
    EXPECT_EQ(record.text(HeaderText::cc),
              "C@X\xFF"
              "D@X");
    EXPECT_EQ(record.text(HeaderText::subject), "");
    EXPECT_TRUE(record.has(HeaderText::subject));
    EXPECT_FALSE(record.has(HeaderText::bcc));
    EXPECT_FALSE(record.sent_date());
}

TEST(HeaderRecord, HasTheSortKeysOfTheCache) {
    const Made made(make_message("Re: [list] The plan (fwd)",
                                 "Cc: Carl <carl@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n",
                                 "--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n"));
    const HeaderRecord record = made.record();
    const CachedMessage cached = made.cached();
    EXPECT_FALSE(cached.base_subject().empty());
    EXPECT_EQ(record.base_subject(), cached.base_subject());
    EXPECT_EQ(record.from_key(), cached.from_key());
    EXPECT_EQ(record.to_key(), cached.to_key());
    EXPECT_EQ(record.cc_key(), cached.cc_key());
    EXPECT_EQ(record.from_display(), cached.from_display());
    EXPECT_EQ(record.to_display(), cached.to_display());
    EXPECT_TRUE(record.is_reply_or_forward());
    EXPECT_TRUE(record.has_attachment());
    ASSERT_TRUE(record.sent_date());
    EXPECT_EQ(record.sent_date()->utc_seconds, cached.sent_date()->utc_seconds);
    EXPECT_LT(made.bytes.size(), 200u);
}

TEST(HeaderRecord, LeavesLongFieldsToTheCache) {
    std::string to = "To: ";
    for (int n = 0; n < 500; ++n) to += "somebody" + std::to_string(n) + "@example.org,\r\n ";
    const Made made(to + "x@example.org\r\nSubject: short\r\n\r\n");
    EXPECT_TRUE(made.record().has(HeaderText::to));
    EXPECT_FALSE(made.record().text(HeaderText::to));
    EXPECT_EQ(made.record().text(HeaderText::subject), "SHORT");
    EXPECT_LE(made.bytes.size(), kMaxHeaderRecord);
}

TEST(HeaderRecord, IsRefusedWhenCutAnywhereBeforeItsKeys) {
    const Made made(make_message("one"));
    for (std::size_t size = 0; size < made.bytes.size(); ++size) {
        const auto record = HeaderRecord::read(std::string_view(made.bytes).substr(0, size));
        if (!record) continue;
        for (unsigned n = 0; n < kHeaderTexts; ++n) (void)record->text(static_cast<HeaderText>(n));
        (void)record->to_display();
        (void)record->base_subject();
    }
    std::string other = made.bytes;
    other[0] = 77;
    EXPECT_FALSE(HeaderRecord::read(other)) << "of a version to come";
}

TEST(HeaderRecord, ComesWithTheMessageAndGoesWithItsLastReference) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.deliver(make_message("two"));
    account.must<Copied>(Copy{account.id_of("INBOX"), UidSet::of({2}), {name("Archive")}, false});
    account.must<Expunged>(Expunge{account.id_of("INBOX"), std::nullopt, false});
    account.follow();
    const Snapshot now = account.snapshot();
    EXPECT_FALSE(now.header(MessageId(1)));
    EXPECT_FALSE(now.exists(MessageId(1)));
    EXPECT_TRUE(now.exists(MessageId(2)));
    ASSERT_TRUE(now.header(MessageId(2)));
    EXPECT_EQ(now.header(MessageId(2))->text(HeaderText::subject), "TWO");
    EXPECT_EQ(now.stored_messages().value(), 1u);
    EXPECT_EQ(now.account()->last_message, MessageId(2));
}

}  // namespace
}  // namespace mailstead::store
