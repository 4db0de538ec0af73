#include "common/store/fetch_cache.h"

#include <gtest/gtest.h>

#include "common/mime/headers.h"
#include "common/mime/message.h"
#include "common/mime/structure.h"
#include "common/store/cache_format.h"

namespace mailstead::store {
namespace {

const std::string kMessage =
    "Return-Path: <ann@example.org>\r\n"
    "Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\r\n"
    "FROM:   Ann Example\r\n <ann@example.org>\r\n"
    "To: Bob <bob@example.com>, c@example.com\r\n"
    "Authentication-Results: x; dkim=pass\r\n"
    "Subject: Re: [list]  Plans\r\n"
    "Date: Tue, 14 Nov 2023 22:13:20 +0100\r\n"
    "Message-ID: <2@x>\r\n"
    "References: <0@x>\r\n\t<1@x>\r\n"
    "X-Unusual: yes\r\n"
    "List-Id: one\r\nList-Id: two\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n"
    "\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\nHello there,\r\nworld\r\n"
    "--b\r\nContent-Type: image/png; name=x.png\r\nContent-Disposition: attachment\r\n\r\nAAAA\r\n--b--\r\n";

CachedMessage read(const std::string& record) {
    return CachedMessage::read(record).value();
}

std::string fields(const CachedMessage& cached, std::vector<std::string> names) {
    std::string out = "before:";
    return cached.append_fields(out, FieldRequest(names)) ? out.substr(7) : out + "open the message";
}

TEST(FetchCache, AnswersHeaderFieldsByteForByte) {
    const std::string record = build_fetch_cache(kMessage);
    const CachedMessage cached = read(record);
    const std::string_view header = std::string_view(kMessage).substr(0, cached.header_size());
    for (const std::vector<std::string>& names : {std::vector<std::string>{"from", "To"},
                                                  {"LIST-ID", "date", "Subject"},
                                                  {"X-Priority"},
                                                  {"references", "bcc"},
                                                  {}}) {
        EXPECT_EQ(fields(cached, names),
                  mime::select_fields(header, names, mime::FieldSelection::only_these));
    }
    EXPECT_EQ(fields(cached, {"From", "X-Unusual"}), "before:open the message") << "the cache cannot know";
    EXPECT_EQ(fields(cached, {"Received"}), "before:open the message");
    EXPECT_EQ(cached.first_field("list-id"), "List-Id: one\r\n");
    EXPECT_EQ(cached.first_field("bcc"), "");
    EXPECT_FALSE(cached.first_field("x-unusual"));
}

TEST(FetchCache, KeepsRareFieldsApartAndInTheirOrder) {
    const std::string message =
        "DKIM-Signature: a\r\nFrom: b\r\nAuthentication-Results: c\r\nDKIM-Signature: d\r\nTo: "
        "e\r\nX-Spam-Status: f\r\n\r\n";
    const std::string record = build_fetch_cache(message);
    const std::size_t rare = CachedMessage::rare_part(record);
    ASSERT_LT(rare, record.size());
    const std::vector<std::string> names = {"to", "dkim-signature", "x-spam-status", "authentication-results",
                                            "from"};
    EXPECT_TRUE(FieldRequest(names).wants_rare());
    EXPECT_EQ(fields(read(record), names), message);

    const std::string usual = record.substr(0, rare);
    CachedMessage apart = read(usual);
    EXPECT_EQ(fields(apart, {"From", "To"}), "From: b\r\nTo: e\r\n\r\n");
    EXPECT_EQ(fields(apart, names), "before:open the message");
    EXPECT_FALSE(apart.first_field("DKIM-Signature"));
    apart.attach_rare(std::string_view(record).substr(rare));
    EXPECT_EQ(fields(apart, names), message);
    EXPECT_EQ(apart.first_field("DKIM-Signature"), "DKIM-Signature: a\r\n");
    apart.attach_rare("nonsense");
    EXPECT_EQ(fields(apart, names), "before:open the message");

    const std::string none = build_fetch_cache("From: b\r\n\r\n");
    EXPECT_EQ(CachedMessage::rare_part(none), none.size());
    EXPECT_EQ(fields(read(none), names), "From: b\r\n\r\n");
    EXPECT_EQ(read(none).first_field("DKIM-Signature"), "");
}

TEST(FetchCache, HoldsTheImapTexts) {
    const std::string record = build_fetch_cache(kMessage);
    const CachedMessage cached = read(record);
    const mime::Message message = mime::Message::parse(kMessage);
    std::string envelope, structure, body;
    mime::write_envelope(envelope, message, mime::ClientText::ascii);
    mime::write_bodystructure(structure, message, mime::ClientText::ascii);
    mime::write_body(body, message, mime::ClientText::ascii);
    EXPECT_EQ(cached.envelope(false), envelope);
    EXPECT_EQ(cached.envelope(true), envelope) << "the same bytes serve both";
    EXPECT_EQ(cached.body_structure(false), structure);
    EXPECT_EQ(cached.body(true), body);
    EXPECT_EQ(cached.parts(), message.tree());
    EXPECT_EQ(cached.preview(), "Hello there, world");
    EXPECT_TRUE(cached.has_attachment());
    EXPECT_TRUE(cached.headers_are_ascii());
}

TEST(FetchCache, HoldsUtf8TextsBesideAsciiOnes) {
    const std::string record = build_fetch_cache(
        "Subject: Gr\xC3\xBC\xC3\x9F"
        "e\r\n\r\nx");
    const CachedMessage cached = read(record);
    EXPECT_NE(cached.envelope(false), cached.envelope(true));
    EXPECT_NE(cached.envelope(true).find("Gr\xC3\xBC"), std::string_view::npos);
    EXPECT_FALSE(cached.headers_are_ascii());
}

TEST(FetchCache, HoldsKeysForSortAndThread) {
    const std::string record = build_fetch_cache(kMessage);
    const CachedMessage cached = read(record);
    EXPECT_EQ(cached.from_key(), "ANN");
    EXPECT_EQ(cached.from_display(), "ANN EXAMPLE");
    EXPECT_EQ(cached.to_key(), "BOB");
    EXPECT_EQ(cached.cc_key(), "");
    EXPECT_TRUE(cached.is_reply_or_forward());
    EXPECT_EQ(cached.sent_date()->utc_seconds, 1'699'996'400);
    EXPECT_EQ(cached.sent_date()->offset_minutes, 60);
    EXPECT_EQ(cached.message_id_hash(), hash_message_id("2@x"));
    EXPECT_EQ(cached.reference_hashes(), (std::vector{hash_message_id("0@x"), hash_message_id("1@x")}));
    const std::string reply = build_fetch_cache("In-Reply-To: <a@x> <b@x>\r\n\r\n");
    EXPECT_EQ(read(reply).reference_hashes(), std::vector{hash_message_id("a@x")});
    EXPECT_EQ(read(reply).message_id_hash(), 0u);
    EXPECT_FALSE(read(reply).sent_date());
}

TEST(FetchCache, StaysSmallWhateverTheMessageIs) {
    std::string huge = "Subject: x\r\n";
    for (int n = 0; n < 3'000; ++n)
        huge += "To: somebody" + std::to_string(n) + "@example.org,\r\n " + std::string(500, 'y') + "\r\n";
    huge += "Dkim-Signature: " + std::string(100'000, 'z') + "\r\nX-Mailer: m\r\n\r\nbody";
    const std::string record = build_fetch_cache(huge);
    EXPECT_LE(record.size(), kMaxFetchCache);
    const CachedMessage cached = read(record);
    EXPECT_EQ(fields(cached, {"To"}), "before:open the message");
    EXPECT_EQ(fields(cached, {"Dkim-Signature"}), "before:open the message");

    const std::string one_long =
        build_fetch_cache("Subject: x\r\nTo: " + std::string(5'000, 'a') + "\r\nCc: c\r\n\r\n");
    EXPECT_EQ(fields(read(one_long), {"Subject", "Cc"}), "Subject: x\r\nCc: c\r\n\r\n")
        << "what is kept still answers";
    EXPECT_EQ(fields(read(one_long), {"To"}), "before:open the message");
}

TEST(FetchCache, TakesAnyBytes) {
    for (const std::string& odd :
         {std::string(), std::string("\r\n"), std::string("\n"), std::string("Subject: x"),
          std::string("no header\r\n"), std::string("Subject: x\r\n"), std::string(1'000, '\0'),
          std::string("A: b\n\nbody\n")}) {
        const std::string record = build_fetch_cache(odd);
        const auto cached = CachedMessage::read(record);
        ASSERT_TRUE(cached);
        const std::string_view header = std::string_view(odd).substr(0, cached->header_size());
        EXPECT_EQ(fields(*cached, {"Subject"}),
                  mime::select_fields(header, std::vector<std::string>{"Subject"},
                                      mime::FieldSelection::only_these));
    }
}

TEST(FetchCache, RefusesDamagedRecords) {
    const std::string record = build_fetch_cache(kMessage);
    const std::size_t rare = CachedMessage::rare_part(record);
    for (std::size_t size = 0; size < record.size(); ++size) {
        EXPECT_EQ(CachedMessage::read(std::string_view(record).substr(0, size)).has_value(), size == rare)
            << size;
    }
    std::string newer = record;
    newer[0] = static_cast<char>(cache::kVersion + 1);
    EXPECT_FALSE(CachedMessage::read(newer));
    // Any byte changed: no crash, and views stay inside.
    for (std::size_t at = 0; at < record.size(); ++at) {
        std::string flipped = record;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x55);
        if (const auto cached = CachedMessage::read(flipped)) {
            std::string out;
            cached->append_fields(out, FieldRequest(std::vector<std::string>{"from", "list-id"}));
            (void)cached->parts();
            (void)cached->reference_hashes();
            EXPECT_LE(out.size(), flipped.size() + 2);
        }
    }
}

}  // namespace
}  // namespace mailstead::store
