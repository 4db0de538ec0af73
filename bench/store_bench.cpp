// The account index at 1,000 and at 100,000 messages: what a client's commands cost in it. Index alone: no
// files, no journal.
//
//   store_bench [messages ...]
//
// Each line: what was done, the time, the number of messages it concerned. Bars: opening a mailbox, one STORE
// and one append cost the same at any size; 100,000 messages of one STORE, COPY, MOVE or EXPUNGE under 0.5 s;
// flags of 100,000 under 10 ms; a first sync as Thunderbird asks under 0.2 s.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/index_fixture.h"

namespace {

using namespace mailstead;
using namespace mailstead::store;

std::string message(int n) {
    const std::string number = std::to_string(n);
    return "Return-Path: <sender" + number +
           "@example.org>\r\n"
           "Received: from mx.example.org (mx.example.org [192.0.2.1]) by mail.example.com with ESMTPS id " +
           number +
           ";\r\n"
           "\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
           "Authentication-Results: mail.example.com; dkim=pass header.d=example.org; spf=pass "
           "smtp.mailfrom=example.org; dmarc=pass\r\n"
           "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=2023; t=1700000000;\r\n"
           "\th=from:to:subject:date:message-id; bh=" +
           std::string(43, 'b') + "=;\r\n\tb=" + std::string(344, 'B') +
           "\r\n"
           "From: \"Sender Number " +
           number + "\" <sender" + number +
           "@example.org>\r\n"
           "To: \"Somebody Else\" <somebody@example.com>, \"Another One\" <another@example.com>\r\n"
           "Cc: list@example.net\r\n"
           "Subject: Re: The subject of message number " +
           number +
           " which is about as long as usual\r\n"
           "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
           "Message-ID: <" +
           number +
           ".abcdefghijklmnop@example.org>\r\n"
           "In-Reply-To: <" +
           std::to_string(n / 3) +
           ".abcdefghijklmnop@example.org>\r\n"
           "References: <" +
           std::to_string(n / 9) + ".abcdefghijklmnop@example.org>\r\n <" + std::to_string(n / 3) +
           ".abcdefghijklmnop@example.org>\r\n"
           "MIME-Version: 1.0\r\n"
           "Content-Type: multipart/alternative; boundary=\"boundary-" +
           number +
           "\"\r\n"
           "X-Mailer: something 1.0\r\n"
           "\r\n"
           "--boundary-" +
           number +
           "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe text of the message, as plain text.\r\n"
           "--boundary-" +
           number +
           "\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>The text of the message.</p>\r\n"
           "--boundary-" +
           number + "--\r\n";
}

class Bench {
public:
    explicit Bench(int messages) : messages_(messages) {}

    void run() {
        std::printf("\n%d messages\n", messages_);
        fill();
        open_and_store_one();
        walk();
        first_sync();
        if (messages_ >= 10'000) change_all();
    }

private:
    template <class Work>
    void measure(const char* what, int times, double of, Work&& work) {
        const bench::Measured best = bench::fastest_of(times, work);
        std::printf("  %-56s %10.3f ms (%9.3f of CPU) %8.0f ns each of %.0f\n", what, best.wall * 1e3,
                    best.cpu * 1e3, best.wall * 1e9 / of, of);
    }

    static Append one(int n) {
        Append append;
        bench::IndexFixture::add(append, message(n), n);
        return append;
    }

    void fill() {
        std::string content = message(1);
        std::printf("  a message has %zu bytes, its record %zu\n", content.size(),
                    build_fetch_cache(content).size());
        measure("parse and build the fetch cache", 1, 1'000, [&] {
            for (int n = 0; n < 1'000; ++n) (void)build_fetch_cache(content);
        });
        measure("deliver all, one transaction each (parsing included)", 1, messages_, [&] {
            for (int n = 0; n < messages_; ++n) index_.deliver(one(n));
        });
        inbox_ = index_.snapshot().find(MailboxName::inbox())->id;
        std::printf("  the index has %.1f MB\n", static_cast<double>(index_.octets()) / 1e6);
    }

    void open_and_store_one() {
        measure("SELECT: mailbox record, first unseen, runs", 20, 1, [&] {
            const Snapshot at = index_.snapshot();
            (void)at.mailbox(inbox_).value();
            (void)at.first_unseen(inbox_).value();
            (void)at.runs(inbox_).value();
        });
        std::uint32_t uid = 1;
        measure("STORE one flag, with its commit", 50, 1, [&] {
            index_.apply(StoreFlags{inbox_,
                                    UidSet::of({static_cast<std::uint32_t>(uid += 7)}),
                                    StoreFlags::How::add,
                                    {SystemFlag::flagged, {}},
                                    std::nullopt});
        });
        int n = messages_;
        Append append = one(n);
        measure("append one, with its commit", 50, 1, [&] { index_.deliver(Append(append)); });
        const ModSeq before = index_.snapshot().mailbox(inbox_)->highestmodseq;
        index_.apply(StoreFlags{
            inbox_, UidSet({{1, 10}}), StoreFlags::How::add, {SystemFlag::answered, {}}, std::nullopt});
        measure("QRESYNC with ten changes", 20, 1, [&] {
            const Snapshot at = index_.snapshot();
            int changed = 0;
            (void)at.changed_since(inbox_, before, UidSet::all(),
                                   [&](const MessageInfo&) { return ++changed > 0; });
            (void)at.vanished_since(inbox_, before, UidSet::all());
            if (changed != 10) std::abort();
        });
    }

    void walk() {
        std::uint64_t sum = 0;
        measure("UID and flags of all", 10, messages_, [&] {
            (void)index_.snapshot().messages(inbox_, UidSet::all(), [&](const MessageInfo& info) {
                sum += info.uid.value + info.flags.system.bits();
                return true;
            });
        });
        if (sum == 0) std::abort();
    }

    void first_sync() {
        const std::vector<std::string> names = {
            "From",     "To",         "Cc",         "Bcc",        "Subject",     "Date",         "Message-ID",
            "Priority", "X-Priority", "References", "Newsgroups", "In-Reply-To", "Content-Type", "Reply-To"};
        const FieldRequest request(names);
        std::string answers;
        measure("first sync: UID, flags, size, HEADER.FIELDS of all", 5, messages_, [&] {
            answers.clear();
            const Snapshot at = index_.snapshot();
            (void)at.messages(inbox_, UidSet::all(), [&](const MessageInfo& info) {
                answers += "* 1 FETCH (UID ";
                answers += std::to_string(info.uid.value);
                answers += " RFC822.SIZE ";
                answers += std::to_string(info.size);
                if (!at.cached(info.message)->append_fields(answers, request)) std::abort();
                return true;
            });
        });
        std::printf("  answers: %.1f MB\n", static_cast<double>(answers.size()) / 1e6);
        measure("ENVELOPE and BODYSTRUCTURE of all", 5, messages_, [&] {
            answers.clear();
            const Snapshot at = index_.snapshot();
            (void)at.messages(inbox_, UidSet::all(), [&](const MessageInfo& info) {
                const auto cached = at.cached(info.message);
                answers += cached->envelope(false);
                answers += cached->body_structure(false);
                return true;
            });
        });
    }

    void change_all() {
        const auto all = [&](const char* what, Action action) {
            measure(what, 1, messages_, [&] { index_.apply(std::move(action)); });
        };
        all("STORE +\\Seen of all",
            StoreFlags{inbox_, UidSet::all(), StoreFlags::How::add, {SystemFlag::seen, {}}, std::nullopt});
        all("STORE -\\Seen of all",
            StoreFlags{inbox_, UidSet::all(), StoreFlags::How::remove, {SystemFlag::seen, {}}, std::nullopt});
        Destination archive;
        archive.name = MailboxName::parse("Archive").value();
        all("COPY all", Copy{inbox_, UidSet::all(), archive, false});
        const MailboxId copies = index_.snapshot().find(archive.name)->id;
        Destination trash;
        trash.name = MailboxName::parse("Trash").value();
        all("MOVE all", Copy{copies, UidSet::all(), trash, true});
        all("EXPUNGE all", Expunge{inbox_, std::nullopt, false});
    }

    int messages_;
    bench::IndexFixture index_;
    MailboxId inbox_;
};

}  // namespace

int main(int argc, char** argv) {
    std::vector<int> sizes;
    for (int n = 1; n < argc; ++n) sizes.push_back(std::atoi(argv[n]));
    if (sizes.empty()) sizes = {1'000, 100'000};
    for (const int size : sizes) Bench(size).run();
}
