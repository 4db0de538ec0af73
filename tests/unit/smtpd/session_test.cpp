// Whole sessions over a loopback connection, with a deliver, a directory and a DNS made up in memory.
#include "smtpd/session/session.h"

#include <arpa/inet.h>
#include <filesystem>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/dns/fake_resolver.h"
#include "common/net/listener.h"

namespace mailstead::smtpd {
namespace {

class FakeDirectory final : public directory::Directory {
public:
    Result<bool> has_domain(const Domain& domain) const override { return domain.ascii() == "example.org"; }
    Result<directory::Resolution> resolve(const Address& to) const override {
        if (to.domain().ascii() != "example.org") return directory::Resolution(directory::NotOurDomain{});
        const std::string name = to.local().folded();
        if (name == "broken") return transient_error("the directory is broken");
        if (name == "list") {
            directory::Targets targets{.local = {{AccountId(1), ""}, {AccountId(2), ""}},
                                       .remote = {*Address::parse("r@remote.example")}};
            return directory::Resolution(std::move(targets));
        }
        if (name != "alice" && name != "full") return directory::Resolution(directory::UnknownUser{});
        return directory::Resolution(
            directory::Targets{.local = {{AccountId(name == "full" ? 2u : 1u), "tag"}}, .remote = {}});
    }
    Result<directory::Resolution> resolve_postmaster() const override {
        return resolve(*Address::parse("alice@example.org"));
    }
    Result<std::optional<directory::Account>> find_account(AccountId id) const override {
        directory::Account account{.id = id,
                                   .login = *Address::parse("alice@example.org"),
                                   .display_name = "",
                                   .limits = {},
                                   .hidden_capabilities = {}};
        account.limits.octets = id == AccountId(2) ? 1000 : 0;
        return std::optional(std::move(account));
    }
    Result<std::optional<directory::Account>> find_by_login(std::string_view) const override {
        return std::optional<directory::Account>();
    }
    Result<bool> may_send_as(AccountId, const Address&) const override { return true; }
    Result<std::vector<directory::DomainRecord>> domains() const override {
        return std::vector<directory::DomainRecord>();
    }
    Result<std::optional<directory::DomainRecord>> find_domain(const Domain&) const override {
        return std::optional<directory::DomainRecord>();
    }
    Result<std::vector<directory::Account>> accounts() const override {
        return std::vector<directory::Account>();
    }
    Result<std::vector<directory::Alias>> aliases() const override { return std::vector<directory::Alias>(); }
};

struct Taken {
    ipc::DeliverMessage message;
    std::string content;
};

class FakeDeliver final : public DeliverLink {
public:
    net::Task<Result<ipc::DeliverAnswer>> deliver(ipc::DeliverMessage message, FileDescriptor file) override {
        if (away) co_return transient_error("no such socket");
        std::string content(8u << 20, '\0');
        content.resize(static_cast<std::size_t>(::pread(file.get(), content.data(), content.size(), 0)));
        taken.push_back({std::move(message), std::move(content)});
        co_return answer;
    }
    net::Task<Result<ipc::AuthAnswer>> authenticate(ipc::AuthStep) override {
        co_return transient_error("no");
    }
    net::Task<Result<bool>> over_quota(AccountId account, std::uint64_t) override {
        co_return account == AccountId(2);
    }
    void cancel_authentication(ipc::AuthCancel) override {}
    void record(ipc::LedgerLine line) override { ledger.push_back(std::move(line)); }

    std::vector<Taken> taken;
    std::vector<ipc::LedgerLine> ledger;
    ipc::DeliverAnswer answer{.outcome = ipc::DeliverAnswer::Outcome::accepted, .text = "", .queue_id = 0};
    bool away = false;
};

class FakeDns final : public dns::Resolver {
public:
    explicit FakeDns(std::string_view zone) : zones_(*dns::FakeResolver::parse(zone)) {}
    net::Task<dns::AnyAnswer> resolve(dns::Question question) override { co_return zones_.answer(question); }

private:
    dns::FakeResolver zones_;
};

constexpr std::string_view kZone =
    "good.example TXT \"v=spf1 ip4:127.0.0.1 -all\"\n"
    "_dmarc.good.example TXT \"v=DMARC1; p=reject\"\n"
    "bad.example TXT \"v=spf1 -all\"\n"
    "_dmarc.bad.example TXT \"v=DMARC1; p=reject\"\n"
    "unsure.example FAIL\n"
    "_dmarc.unsure.example TXT \"v=DMARC1; p=reject\"\n"
    "1.0.0.127.in-addr.arpa PTR localhost.example\n"
    "localhost.example A 127.0.0.1\n";

class SmtpSession : public testing::Test {
protected:
    SmtpSession() : worker_(context_, environment_) {
        auto link = std::make_unique<FakeDeliver>();
        deliver_ = link.get();
        worker_.deliver = std::move(link);
        worker_.resolver = std::make_unique<FakeDns>(kZone);
        profile_.hostname = "mx.example.org";
    }

    // All that the server says to these bytes.
    std::string talk(std::string_view bytes) {
        auto listening = *net::bind_tcp(*net::SocketAddress::parse("127.0.0.1:0"));
        const auto address = net::bound_address(listening);
        FileDescriptor client(::socket(AF_INET, SOCK_STREAM, 0));
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(address.port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
        int accepted = -1;
        while (accepted < 0) accepted = ::accept(listening.get(), nullptr, nullptr);
        FileDescriptor server(accepted);
        // More than the socket's buffers hold goes from a thread of its own.
        std::thread sender([&] {
            EXPECT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                      static_cast<ssize_t>(bytes.size()));
            EXPECT_EQ(::shutdown(client.get(), SHUT_WR), 0);
        });
        net::TaskGroup group(context_);
        group.spawn(serve(&worker_, &profile_, net::Stream(context_, std::move(server))));
        context_.restart();
        while (group.size() > 0) context_.run_one();
        sender.join();
        EXPECT_EQ(group.size(), 0u);
        std::string said(1u << 16, '\0');
        std::size_t size = 0;
        for (;;) {
            const ssize_t got = ::recv(client.get(), said.data() + size, said.size() - size, 0);
            if (got <= 0) break;
            size += static_cast<std::size_t>(got);
        }
        return said.substr(0, size);
    }
    static net::Task<void> serve(Worker* worker, const Profile* profile, net::Stream stream) {
        Session session(*worker, *profile, std::move(stream));
        co_await session.run(TlsStart::by_command);
    }
    std::string send(std::string_view domain, std::string_view message,
                     std::string_view to = "alice@example.org") {
        const std::string from = "x@" + std::string(domain);
        return talk("EHLO client.example\r\nMAIL FROM:<" + from + ">\r\nRCPT TO:<" + std::string(to) +
                    ">\r\nDATA\r\n" + std::string(message) + "\r\n.\r\nQUIT\r\n");
    }
    static bool has(std::string_view text, std::string_view piece) {
        return text.find(piece) != std::string_view::npos;
    }

    boost::asio::io_context context_;
    FakeDirectory directory_;
    Environment environment_{.hostname = "mx.example.org",
                             .directory = directory_,
                             .spool = *Spool::open(std::filesystem::temp_directory_path(), 0),
                             .memory = MemoryBudget(1u << 20),
                             .rate = RecipientRate(0),
                             .tls = nullptr,
                             .enforce_dmarc = true};
    Worker worker_;
    FakeDeliver* deliver_ = nullptr;
    Profile profile_;
};

TEST_F(SmtpSession, AcceptedMailHasTraceFieldsAndVerdictsOnTop) {
    const std::string said =
        send("good.example",
             "Authentication-Results: mx.example.org; spf=fail\r\nFrom: x@good.example\r\n"
             "Subject: hi\r\n\r\n..text");
    EXPECT_TRUE(has(said, "250 2.0.0 Accepted, id ")) << said;
    ASSERT_EQ(deliver_->taken.size(), 1u);
    const Taken& taken = deliver_->taken[0];
    EXPECT_EQ(taken.content.find("Return-Path: <x@good.example>\r\nAuthentication-Results: mx.example.org;"),
              0u)
        << taken.content;
    EXPECT_TRUE(has(taken.content, "spf=pass"));
    EXPECT_TRUE(has(taken.content, "dmarc=pass"));
    EXPECT_TRUE(has(taken.content, "Received: from client.example (localhost.example [127.0.0.1])"));
    EXPECT_FALSE(has(taken.content, "spf=fail"));
    EXPECT_TRUE(has(taken.content, "\r\nFrom: x@good.example\r\nSubject: hi\r\n\r\n.text\r\n"));
    EXPECT_EQ(taken.message.size, taken.content.size());
    EXPECT_EQ(taken.message.verdict, "spf=pass dkim=none dmarc=pass");
    ASSERT_EQ(taken.message.envelope.recipients.size(), 1u);
    EXPECT_EQ(std::get<ipc::Local>(taken.message.envelope.recipients[0].target),
              (ipc::Local{.account = AccountId(1), .mailbox_hint = "tag"}));
    EXPECT_TRUE(has(said, taken.message.trace_id));
}

TEST_F(SmtpSession, AnAliasBecomesOneRecipientForEachTarget) {
    send("good.example", "From: x@good.example\r\n\r\n", "list@example.org");
    ASSERT_EQ(deliver_->taken.size(), 1u);
    EXPECT_EQ(deliver_->taken[0].message.envelope.recipients.size(), 3u);
}

TEST_F(SmtpSession, DmarcRejectIsObeyedAndRecorded) {
    EXPECT_TRUE(has(send("bad.example", "From: x@bad.example\r\n\r\n"),
                    "\r\n550 5.7.1 The DMARC policy of bad.example"));
    EXPECT_TRUE(deliver_->taken.empty());
    ASSERT_EQ(deliver_->ledger.size(), 1u);
    EXPECT_EQ(deliver_->ledger[0].stage, "refused");
}

TEST_F(SmtpSession, DmarcIsOnlyReportedWhenNotEnforced) {
    environment_.enforce_dmarc = false;
    EXPECT_TRUE(has(send("bad.example", "From: x@bad.example\r\n\r\n"), "250 2.0.0 "));
    EXPECT_TRUE(has(deliver_->taken.at(0).content, "dmarc=fail"));
}

TEST_F(SmtpSession, WhatTheDnsDoesNotTellRefusesNothing) {
    EXPECT_TRUE(has(send("unsure.example", "From: x@unsure.example\r\n\r\n"), "250 2.0.0 "));
}

TEST_F(SmtpSession, DeliverAwayIsTemporary) {
    deliver_->away = true;
    EXPECT_TRUE(has(send("good.example", "From: x@good.example\r\n\r\n"), "\r\n451 4.3.0 "));
}

TEST_F(SmtpSession, DeliversWordsReachTheClient) {
    deliver_->answer = {
        .outcome = ipc::DeliverAnswer::Outcome::transient, .text = "4.3.1 Mail system full", .queue_id = 0};
    EXPECT_TRUE(
        has(send("good.example", "From: x@good.example\r\n\r\n"), "\r\n452 4.3.1 Mail system full\r\n"));
    deliver_->answer = {
        .outcome = ipc::DeliverAnswer::Outcome::permanent, .text = "5.2.2 Mailbox full", .queue_id = 0};
    EXPECT_TRUE(has(send("good.example", "From: x@good.example\r\n\r\n"), "\r\n552 5.2.2 Mailbox full\r\n"));
}

TEST_F(SmtpSession, LargeMessagesArriveWhole) {
    std::string body;
    for (int i = 0; i < 60'000; ++i) body += "line " + std::to_string(i) + "\r\n";
    const std::string said = send("good.example", "From: x@good.example\r\n\r\n" + body + "\r\nend");
    EXPECT_TRUE(has(said, "250 2.0.0 ")) << said;
    EXPECT_TRUE(deliver_->taken.at(0).content.ends_with(body + "\r\nend\r\n"));
}

TEST_F(SmtpSession, ALoopIsBroken) {
    std::string header;
    for (unsigned i = 0; i < kMaxHops; ++i) header += "Received: x\r\n";
    EXPECT_TRUE(has(send("good.example", header + "From: x@good.example\r\n\r\n"), "250 2.0.0 "));
    EXPECT_TRUE(
        has(send("good.example", header + "Received: x\r\nFrom: x@good.example\r\n\r\n"), "\r\n554 5.4.6 "));
}

TEST_F(SmtpSession, AMessageWithoutHeaderKeepsItsTextInTheBody) {
    EXPECT_TRUE(has(send("good.example", "just text"), "250 2.0.0 "));
    EXPECT_TRUE(has(deliver_->taken.at(0).content, "\r\n\r\njust text\r\n"));
}

TEST_F(SmtpSession, QuotaAndDirectoryFailuresAreTemporary) {
    EXPECT_TRUE(has(send("good.example", "x", "full@example.org"), "\r\n452 4.2.2 "));
    EXPECT_TRUE(has(send("good.example", "x", "broken@example.org"), "\r\n451 4.3.0 "));
    EXPECT_TRUE(has(send("good.example", "x", "nobody@example.org"), "\r\n550 5.1.1 "));
    EXPECT_TRUE(has(send("good.example", "x", "x@remote.example"), "\r\n550 5.7.1 "));
    EXPECT_TRUE(deliver_->taken.empty());
}

TEST_F(SmtpSession, BdatAndDataInOneSessionAndNoMemoryLeftBehind) {
    std::string text = "EHLO client.example\r\n";
    for (int i = 0; i < 50; ++i) {
        text +=
            "MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nBDAT 8\r\nFrom: x\rBDAT 4 LAST\r\n\n\r\nyMAIL "
            "FROM:<>\r\nRCPT TO:<postmaster>\r\n"
            "DATA\r\nz\r\n.\r\n";
    }
    const std::string said = talk(text + "QUIT\r\n");
    EXPECT_EQ(deliver_->taken.size(), 100u) << said.substr(0, 600);
    EXPECT_TRUE(has(said, "221 2.0.0 "));
    EXPECT_TRUE(environment_.memory.try_take(1u << 20));
}

TEST_F(SmtpSession, AStopAnswersEachClientOnce) {
    environment_.stopping = true;
    EXPECT_TRUE(has(talk(""), "421 4.3.2 "));
}

}  // namespace
}  // namespace mailstead::smtpd
