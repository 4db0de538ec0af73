#include <algorithm>

#include "common/base/base64.h"
#include "common/base/text.h"
#include "common/mailauth/dkim_canonical.h"
#include "common/mailauth/dkim_signature.h"
#include "tests/unit/mailauth/dkim_fixture.h"

namespace mailstead::mailauth {
namespace {

std::vector<DkimResult> verify_file(const std::string& name, std::string (*change)(std::string) = nullptr) {
    std::string message = read_data("dkim/" + name + ".eml");
    if (change != nullptr) message = change(std::move(message));
    const std::size_t end = message.find("\r\n\r\n") + 4;
    return verify(message.substr(0, end), message.substr(end), zone(read_data("dkim/" + name + ".zone")));
}

TEST(DkimVerify, ExampleOfRfc6376AppendixA) {
    const auto results = verify_file("rfc6376-a2");
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].verdict, DkimVerdict::pass) << results[0].reason;
    EXPECT_EQ(results[0].identity, "joe@football.example.com");
    EXPECT_EQ(results[0].key_bits, 1024U);
}

TEST(DkimVerify, ExampleOfRfc8463AppendixA) {
    const auto results = verify_file("rfc8463-a3");
    ASSERT_EQ(results.size(), 2U);
    EXPECT_EQ(results[0].verdict, DkimVerdict::pass) << results[0].reason;
    EXPECT_EQ(results[0].algorithm, "ed25519-sha256");
    EXPECT_EQ(results[1].verdict, DkimVerdict::pass) << results[1].reason;
}

TEST(DkimVerify, ChangedExamplesFail) {
    const auto one_letter = [](std::string m) { return m.replace(m.find("dinner"), 6, "supper"); };
    for (const auto& result : verify_file("rfc8463-a3", one_letter))
        EXPECT_EQ(result.verdict, DkimVerdict::fail);
    const auto body = [](std::string m) { return m.replace(m.find("hungry"), 6, "thirst"); };
    for (const auto& result : verify_file("rfc8463-a3", body)) {
        EXPECT_EQ(result.verdict, DkimVerdict::fail);
        EXPECT_EQ(result.reason, "body hash does not match");
    }
}

TEST(DkimVerify, UnsignedMessageHasNoResults) {
    const auto resolver = key_zone();
    EXPECT_TRUE(verify(kHeader, kBody, resolver).empty());
    EXPECT_TRUE(resolver.asked().empty());
}

// A signature with other tags than the signer would write, by the Ed25519 key.
std::string craft(const std::string& tags, const std::string& body = kBody,
                  const std::string& header = kHeader, const std::string& names = "from:subject") {
    BodyHasher hasher(tags.find("/simple") != tags.npos ? Canonicalization::simple
                                                        : Canonicalization::relaxed);
    std::optional<std::uint64_t> limit;
    if (const std::size_t l = tags.find("l="); l != tags.npos) limit = std::stoul(tags.substr(l + 2));
    const auto number = hasher.want(limit);
    hasher.update(body);
    hasher.finish();
    std::string field =
        "DKIM-Signature: " + tags + "; h=" + names + "; bh=" + base64_encode(hasher.hash(number)) + "; b=";
    const FieldIndex index(header);
    std::string text;
    std::vector<std::string> list;
    for (std::string_view rest = names; !rest.empty();) list.emplace_back(text::next_field(rest, ':'));
    const auto form =
        tags.find("c=simple") != tags.npos ? Canonicalization::simple : Canonicalization::relaxed;
    index.append_selected(text, list, std::nullopt, form);
    const FieldIndex own(field);
    append_canonical(text, own.fields().at(0), form);
    text.resize(text.size() - 2);
    Sha256 sha;
    sha.update(text);
    return field + base64_encode(*shared_key(DkimAlgorithm::ed25519_sha256)->sign_digest(sha.finish())) +
           "\r\n";
}

const std::string kTags = "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=ed";

DkimResult verify_tags(const std::string& tags, const dns::FakeResolver& resolver = key_zone()) {
    return verify(craft(tags) + kHeader, kBody, resolver).at(0);
}

TEST(DkimVerify, TimesOfTheSignature_Rfc6376_3_5) {
    const std::string now = std::to_string(kNow);
    EXPECT_EQ(verify_tags(kTags + "; t=" + now).verdict, DkimVerdict::pass);
    EXPECT_EQ(verify_tags(kTags + "; t=" + std::to_string(kNow + 600)).verdict, DkimVerdict::pass);
    EXPECT_EQ(verify_tags(kTags + "; t=" + std::to_string(kNow + 7200)).verdict, DkimVerdict::fail);
    EXPECT_EQ(verify_tags(kTags + "; x=" + now).verdict, DkimVerdict::pass);
    EXPECT_EQ(verify_tags(kTags + "; x=" + std::to_string(kNow - 1)).verdict, DkimVerdict::fail);
    EXPECT_EQ(verify_tags(kTags + "; x=" + std::to_string(kNow - 1)).reason, "signature has expired");
    EXPECT_EQ(verify_tags(kTags + "; t=" + now + "; x=" + now).verdict, DkimVerdict::permerror);
    EXPECT_EQ(verify_tags(kTags + "; t=99999999999999999999999").verdict, DkimVerdict::fail);
}

TEST(DkimVerify, FieldThatCannotBeUsedIsPermerror) {
    const std::pair<const char*, const char*> cases[] = {
        {"v=2; a=ed25519-sha256; d=example.org; s=ed", "unknown version"},
        {"v=1; a=rsa-sha1; d=example.org; s=ed", "rsa-sha1 is no longer secure (RFC 8301)"},
        {"v=1; a=foo-sha256; d=example.org; s=ed", "unknown algorithm in a="},
        {"v=1; a=ed25519-sha256; d=example.org", "a required tag is missing"},
        {"v=1; a=ed25519-sha256; s=ed", "a required tag is missing"},
        {"v=1; a=ed25519-sha256; d=example.org; d=example.org; s=ed", "duplicate tag"},
        {"v=1; a=ed25519-sha256; d=example.org; s=ed; i=@other.example", "i= is outside of d="},
        {"v=1; a=ed25519-sha256; d=example.org; s=ed; i=@badexample.org", "i= is outside of d="},
        {"v=1; a=ed25519-sha256; d=example.org; s=ed; i=nobody", "i= is outside of d="},
        {"v=1; a=ed25519-sha256; d=example.org; s=ed; c=loose/simple", "unknown canonicalization in c="},
        {"v=1; a=ed25519-sha256; d=example.org; s=ed; q=dns/srv", "unknown query method in q="},
        {"v=1; a=ed25519-sha256; d=example.org; s=ed; t=now", "malformed t="},
        {"v=1; a=ed25519-sha256; d=example.org; s=ed; junk", "tag without \"=\""},
        {"v=1; a=ed25519-sha256; d=exa..mple.org; s=ed", "d= or s= is no domain name"},
        {"v=1; a=ed25519-sha256; d=example.org; s=e\\d", "d= or s= is no domain name"},
    };
    for (const auto& [tags, reason] : cases) {
        const auto resolver = key_zone();
        const auto result = verify_tags(tags, resolver);
        EXPECT_EQ(result.verdict, DkimVerdict::permerror) << tags;
        EXPECT_EQ(result.reason, reason) << tags;
        EXPECT_TRUE(resolver.asked().empty()) << tags;
    }
}

TEST(DkimVerify, FromMustBeSigned_Rfc6376_5_4) {
    const std::string field = craft(kTags, kBody, kHeader, "subject:to");
    EXPECT_EQ(verify(field + kHeader, kBody, key_zone()).at(0).reason, "From is not signed");
}

TEST(DkimVerify, FormsMayBeLeftOut) {
    EXPECT_EQ(verify_tags("v=1; a=ed25519-sha256; c=simple/simple; d=example.org; s=ed").verdict,
              DkimVerdict::pass);
    EXPECT_EQ(verify_tags("v=1; a=ed25519-sha256; c=relaxed/simple; d=EXAMPLE.org; s=ED; i=x@sub.Example.ORG")
                  .verdict,
              DkimVerdict::pass);
    const auto read = read_dkim_signature(
        " v=1; a=rsa-sha256; c=relaxed; d=example.org; s=x; h=from; "
        "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=YQ==");
    EXPECT_FALSE(read.refusal) << read.reason;
    EXPECT_EQ(read.signature.header_form, Canonicalization::relaxed);
    EXPECT_EQ(read.signature.body_form, Canonicalization::simple);
    EXPECT_EQ(read.signature.identity, "@example.org");
}

TEST(DkimVerify, LengthOfTheBody_Rfc6376_8_2) {
    const std::string body = "Hello\r\n";
    const std::string field = craft(kTags + "; l=7", body);
    EXPECT_EQ(verify(field + kHeader, body, key_zone()).at(0).verdict, DkimVerdict::pass);
    const auto longer = verify(field + kHeader, body + "<p>Buy now\r\n", key_zone()).at(0);
    EXPECT_EQ(longer.verdict, DkimVerdict::policy);
    EXPECT_EQ(longer.reason, "12 bytes of the body are not signed (l=)");
    DkimVerifyOptions accept;
    accept.accept_unsigned_tail = true;
    EXPECT_EQ(verify(field + kHeader, body + "<p>Buy now\r\n", key_zone(), accept).at(0).verdict,
              DkimVerdict::pass);
    EXPECT_EQ(verify(field + kHeader, "Hi\r\n", key_zone()).at(0).reason, "body is shorter than l=");
    EXPECT_EQ(verify(field + kHeader, "Hallo\r\nx\r\n", key_zone()).at(0).reason, "body hash does not match");
}

TEST(DkimVerify, WhatTheKeyRecordSays_Rfc6376_3_6_1) {
    const std::string key = shared_key(DkimAlgorithm::ed25519_sha256)
                                ->public_record()
                                .substr(sizeof "v=DKIM1; k=ed25519; p=" - 1);
    struct Case {
        const char* record;
        DkimVerdict verdict;
        const char* reason;
    };
    const Case cases[] = {
        {"v=DKIM1; k=ed25519; p=KEY", DkimVerdict::pass, ""},
        {"k=ed25519; p=KEY", DkimVerdict::pass, ""},
        {"v=DKIM1; k=ed25519; h=sha256; s=email; p=KEY", DkimVerdict::pass, ""},
        {"v=DKIM1; k=ed25519; h=sha1; p=KEY", DkimVerdict::permerror, "key is not for sha256"},
        {"v=DKIM1; k=ed25519; s=tlsrpt; p=KEY", DkimVerdict::permerror, "key is not for mail"},
        {"v=DKIM1; k=ed25519; p=", DkimVerdict::permerror, "key was revoked"},
        {"v=DKIM1; p=KEY", DkimVerdict::permerror, "key is of another type"},
        {"v=DKIM1; k=ed25519", DkimVerdict::permerror, "key record: key record without p="},
        {"v=spf1 -all", DkimVerdict::permerror, "key record: not a DKIM1 key record"},
        {"v=DKIM1; k=ed25519; t=s; p=KEY", DkimVerdict::pass, ""},
    };
    for (const Case& c : cases) {
        std::string record = c.record;
        if (const auto place = record.find("KEY"); place != record.npos) record.replace(place, 3, key);
        dns::FakeResolver resolver;
        resolver.add("ed._domainkey.example.org", dns::RecordType::txt, dns::Txt{record});
        const auto result = verify_tags(kTags, resolver);
        EXPECT_EQ(result.verdict, c.verdict) << c.record;
        EXPECT_EQ(result.reason, c.reason) << c.record;
    }
    dns::FakeResolver same_domain;
    same_domain.add("ed._domainkey.example.org", dns::RecordType::txt,
                    dns::Txt{"v=DKIM1; k=ed25519; t=s; p=" + key});
    EXPECT_EQ(verify_tags(kTags + "; i=a@sub.example.org", same_domain).verdict, DkimVerdict::permerror);
    EXPECT_EQ(verify_tags(kTags + "; i=a@EXAMPLE.org", same_domain).verdict, DkimVerdict::pass);
}

TEST(DkimVerify, TestModeForgivesFailure_Rfc6376_3_6_1) {
    dns::FakeResolver resolver;
    resolver.add("ed._domainkey.example.org", dns::RecordType::txt,
                 dns::Txt{shared_key(DkimAlgorithm::ed25519_sha256)->public_record() + "; t=y"});
    EXPECT_EQ(verify_tags(kTags, resolver).verdict, DkimVerdict::pass);
    EXPECT_TRUE(verify_tags(kTags, resolver).testing);
    EXPECT_EQ(verify(craft(kTags) + kHeader, "other", resolver).at(0).verdict, DkimVerdict::neutral);
}

TEST(DkimVerify, TellsNoKeyFromNoAnswer) {
    EXPECT_EQ(verify_tags(kTags, dns::FakeResolver()).verdict, DkimVerdict::permerror);
    dns::FakeResolver failing;
    failing.fail("ed._domainkey.example.org");
    EXPECT_EQ(verify_tags(kTags, failing).verdict, DkimVerdict::temperror);
}

TEST(DkimVerify, KeyAmongOtherTexts) {
    dns::FakeResolver resolver;
    resolver.add("ed._domainkey.example.org", dns::RecordType::txt, dns::Txt{"google-site-verification"});
    resolver.add("ed._domainkey.example.org", dns::RecordType::txt,
                 dns::Txt{shared_key(DkimAlgorithm::ed25519_sha256)->public_record()});
    EXPECT_EQ(verify_tags(kTags, resolver).verdict, DkimVerdict::pass);
}

TEST(DkimVerify, ShortRsaKeysAreRefused_Rfc8301_3_2) {
    const auto results = [] {
        std::string message = read_data("dkim/rfc8463-a3.eml");
        const std::size_t end = message.find("\r\n\r\n") + 4;
        DkimVerifyOptions options;
        options.min_rsa_bits = 2048;
        return verify(message.substr(0, end), message.substr(end), zone(read_data("dkim/rfc8463-a3.zone")),
                      options);
    }();
    EXPECT_EQ(results[0].verdict, DkimVerdict::pass);
    EXPECT_EQ(results[1].verdict, DkimVerdict::permerror);
    EXPECT_EQ(results[1].reason, "key is too short");
    EXPECT_EQ(results[1].key_bits, 1024U);
}

TEST(DkimVerify, LooksAtEightSignaturesAndAsksForEachKeyOnce) {
    const std::string field = craft(kTags);
    std::string fields;
    for (int i = 0; i < 12; ++i) fields += field;
    const auto resolver = key_zone();
    const auto results = verify(fields + kHeader, kBody, resolver);
    EXPECT_EQ(results.size(), 8U);
    EXPECT_EQ(resolver.asked().size(), 1U);
    for (const auto& result : results) EXPECT_EQ(result.verdict, DkimVerdict::pass);
}

TEST(DkimVerify, KeysAreAskedForBeforeTheBody) {
    DkimVerifier verifier(at(kNow));
    verifier.headers(craft(kTags) + kHeader);
    ASSERT_EQ(verifier.questions().size(), 1U);
    EXPECT_EQ(verifier.questions()[0].name, "ed._domainkey.example.org");
    EXPECT_EQ(verifier.results().at(0).verdict, DkimVerdict::temperror);
    verifier.body(kBody);
    verifier.end_of_body();
    EXPECT_EQ(verifier.results().at(0).reason, "key was not looked up");
    const auto resolver = key_zone();
    verifier.answer({resolver.answer(verifier.questions()[0])});
    EXPECT_TRUE(verifier.questions().empty());
    EXPECT_EQ(verifier.results().at(0).verdict, DkimVerdict::pass);
}

TEST(DkimVerify, SignatureThatSignsAnother) {
    const std::string first = craft(kTags);
    const std::string second = craft(kTags, kBody, first + kHeader, "from:dkim-signature");
    const auto results = verify(second + first + kHeader, kBody, key_zone());
    ASSERT_EQ(results.size(), 2U);
    EXPECT_EQ(results[0].verdict, DkimVerdict::pass) << results[0].reason;
    EXPECT_EQ(results[1].verdict, DkimVerdict::pass);
}

TEST(DkimVerify, ManyNamesInH) {
    std::string names = "from";
    for (int i = 0; i < 5000; ++i) names += ":from:x";
    EXPECT_EQ(verify(craft(kTags, kBody, kHeader, names) + kHeader, kBody, key_zone()).at(0).verdict,
              DkimVerdict::pass);
}

}  // namespace
}  // namespace mailstead::mailauth
