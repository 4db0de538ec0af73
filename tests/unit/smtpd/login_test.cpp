// Logging in for submission: whole sessions under TLS, and deliver's own service behind them.
#include <optional>

#include <gtest/gtest.h>

#include "common/base/base64.h"
#include "common/directory/editor.h"
#include "common/dns/fake_resolver.h"
#include "common/sasl/client.h"
#include "deliver/auth/auth_service.h"
#include "smtpd/session/session.h"
#include "tests/unit/net/certificates.h"
#include "tests/unit/net/support.h"

namespace mailstead::smtpd {
namespace {

using net::test::kLong;

// The way to deliver without the socket.
class AuthLink final : public DeliverLink {
public:
    explicit AuthLink(deliver::AuthService& service) : service_(service) {}
    net::Task<Result<ipc::AuthAnswer>> authenticate(ipc::AuthStep step) override {
        if (step.conversation == 0) {
            std::string kinds;
            if (!step.bindings.tls_exporter.empty()) kinds += "tls-exporter ";
            if (!step.bindings.tls_unique.empty()) kinds += "tls-unique ";
            if (!step.bindings.tls_server_end_point.empty()) kinds += "tls-server-end-point";
            bindings.push_back(std::move(kinds));
        }
        if (away) co_return transient_error("no such socket");
        ipc::AuthAnswer answer = co_await service_.step(std::move(step), 1);
        co_return answer;
    }
    void cancel_authentication(ipc::AuthCancel cancel) override { service_.cancel(cancel, 1); }
    void record(ipc::LedgerLine line) override { ledger.push_back(std::move(line)); }
    net::Task<Result<ipc::DeliverAnswer>> deliver(ipc::DeliverMessage, FileDescriptor) override {
        co_return transient_error("no");
    }
    net::Task<Result<bool>> over_quota(AccountId, std::uint64_t) override { co_return false; }

    bool away = false;
    std::vector<std::string> bindings;  // of each login: the kinds that there are
    std::vector<ipc::LedgerLine> ledger;

private:
    deliver::AuthService& service_;
};

class NoDns final : public dns::Resolver {
public:
    net::Task<dns::AnyAnswer> resolve(dns::Question) override { co_return dns::AnyAnswer::failure("none"); }
};

struct Attempt {
    std::vector<std::string> mechanisms;  // that the client takes for offered
    std::string password = "pencil";
    bool can_bind = false;
    bool certificate_alone = false;
    bool initial = true;  // the first message goes with the command, if the mechanism has one
};
struct Heard {
    std::string ehlo;
    std::string login;  // the reply that ended it
    std::string mail;   // to MAIL FROM afterwards
};

// The client's side of the connection.
class Client {
public:
    explicit Client(net::Stream& stream) : stream_(stream) {}

    net::Task<std::string> reply() {
        std::string text;
        for (;;) {
            const std::size_t end = buffer_.view().find("\r\n");
            if (end == std::string_view::npos) {
                const auto got = co_await stream_.fill(buffer_, kLong);
                if (!got) co_return text + "(closed)";
                continue;
            }
            const std::string line(buffer_.view().substr(0, end + 2));
            buffer_.consume(line.size());
            text += line;
            if (line.size() < 4 || line[3] != '-') co_return text;
        }
    }
    net::Task<std::string> say(std::string line) {
        line += "\r\n";
        const auto written = co_await stream_.write_all(line, kLong);
        EXPECT_TRUE(written);
        std::string answer = co_await reply();
        co_return answer;
    }
    net::Task<std::string> log_in(Attempt attempt, sasl::ChannelBindings bindings) {
        const Secret password(attempt.password);
        const auto exchange =
            sasl::start_client(attempt.mechanisms, "you@example.org", password, std::move(bindings));
        auto first = exchange->initial_response();
        std::string command = "AUTH " + std::string(exchange->mechanism());
        if (first && attempt.initial) command += " " + base64_encode(*first);
        std::string answer = co_await say(command);
        if (first && !attempt.initial) {
            EXPECT_EQ(answer, "334 \r\n");
            answer = co_await say(base64_encode(*first));
        }
        while (answer.starts_with("334 ")) {
            const auto challenge = base64_decode(std::string_view(answer).substr(4, answer.size() - 6));
            const auto response = exchange->respond(challenge.value());
            std::string line = response ? base64_encode(*response) : "*";
            answer = co_await say(line);
        }
        EXPECT_TRUE(exchange->server_verified() || !answer.starts_with("235 "));
        co_return answer;
    }

private:
    net::Stream& stream_;
    net::ReadBuffer buffer_;
};

sasl::ChannelBindings bindings_of(const net::Stream& stream) {
    return {.tls_exporter = stream.channel_binding(net::ChannelBinding::tls_exporter),
            .tls_unique = stream.channel_binding(net::ChannelBinding::tls_unique),
            .tls_server_end_point = stream.channel_binding(net::ChannelBinding::tls_server_end_point)};
}

net::Task<void> serve(Worker* worker, const Profile* profile, net::Stream stream) {
    Session session(*worker, *profile, std::move(stream));
    co_await session.run(TlsStart::at_once);
}

net::Task<void> visit(net::Stream stream, std::shared_ptr<net::TlsClientContext> tls, Attempt attempt,
                      Heard* heard) {
    const net::TlsClientRequest request;
    net::ReadBuffer none;
    const auto secured = co_await stream.connect_tls(tls, request, none, kLong);
    EXPECT_TRUE(secured);
    Client client(stream);
    const std::string greeting = co_await client.reply();
    EXPECT_TRUE(greeting.starts_with("220 ")) << greeting;
    heard->ehlo = co_await client.say("EHLO client.example");
    sasl::ChannelBindings bindings = attempt.can_bind ? bindings_of(stream) : sasl::ChannelBindings{};
    if (attempt.certificate_alone) bindings.tls_exporter.clear();
    heard->login = co_await client.log_in(std::move(attempt), std::move(bindings));
    heard->mail = co_await client.say("MAIL FROM:<you@example.org>");
    const std::string end = co_await client.say("QUIT");
    EXPECT_TRUE(end.starts_with("221 ")) << end;
    stream.close();
}

class SmtpLogin : public testing::Test {
protected:
    SmtpLogin() {
        EXPECT_TRUE(directory_->add_domain(*Domain::parse("example.org"), {}));
        const auto account =
            directory_->add_account({*Address::parse("you@example.org"), "", {}, {}}).value();
        EXPECT_TRUE(credentials_->set_password(account, Secret("pencil")));
        const net::CertificateFiles files{folder_.file("cert.pem"), folder_.file("cert.key")};
        net::test::make_certificate(files, {"mx.example.org"});
        net::TlsServerOptions options;
        options.certificates = {files};
        environment_.tls = net::TlsServerContext::load(std::move(options)).value();
        net::TlsClientOptions trust;
        trust.system_roots = false;
        trust.ca_file = files.certificate;
        tls_ = net::TlsClientContext::load(trust).value();
        auto link = std::make_unique<AuthLink>(auth_);
        deliver_ = link.get();
        worker_.deliver = std::move(link);
        worker_.resolver = std::make_unique<NoDns>();
        profile_.service = Service::submission;
        profile_.hostname = "mx.example.org";
    }

    // All attempts at the same time, each in a session of its own.
    std::vector<Heard> talk(const std::vector<Attempt>& attempts) {
        std::vector<Heard> heard(attempts.size());
        for (std::size_t i = 0; i < attempts.size(); ++i) {
            net::test::Pair pair(loop_.context);
            loop_.tasks.spawn(serve(&worker_, &profile_, std::move(pair.a)));
            loop_.tasks.spawn(visit(std::move(pair.b), tls_, attempts[i], &heard[i]));
        }
        loop_.run();
        return heard;
    }
    Heard talk(const Attempt& attempt) { return talk(std::vector<Attempt>{attempt}).at(0); }
    static std::string line_of(std::string_view reply, std::string_view begin) {
        const std::size_t at = reply.find(begin);
        if (at == std::string_view::npos) return {};
        return std::string(reply.substr(at, reply.find("\r\n", at) - at));
    }

    net::test::Loop loop_;
    net::test::TemporaryFolder folder_;
    std::unique_ptr<directory::Editor> directory_ = directory::edit_directory(folder_.path()).value();
    std::unique_ptr<directory::CredentialsEditor> credentials_ =
        directory::edit_credentials(folder_.path()).value();
    directory::Authenticator authenticator_{*directory_, *credentials_};
    runtime::FairPool pool_{{.threads = 1}};
    deliver::AuthService auth_{authenticator_, pool_};
    Environment environment_{.hostname = "mx.example.org",
                             .directory = *directory_,
                             .spool = *Spool::open(folder_.path(), 0),
                             .memory = MemoryBudget(1u << 20),
                             .rate = RecipientRate(0),
                             .tls = nullptr,
                             .enforce_dmarc = true};
    Worker worker_{loop_.context, environment_};
    AuthLink* deliver_ = nullptr;
    Profile profile_;
    std::shared_ptr<net::TlsClientContext> tls_;
};

TEST_F(SmtpLogin, OffersEveryMechanismUnderTls) {
    const Heard heard = talk({.mechanisms = {"PLAIN"}});
    EXPECT_EQ(line_of(heard.ehlo, "250-AUTH"), "250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
}

TEST_F(SmtpLogin, EveryMechanismLetsTheUserSend) {
    const std::vector<Attempt> attempts = {
        {.mechanisms = {"PLAIN"}},
        {.mechanisms = {"PLAIN"}, .initial = false},
        {.mechanisms = {"LOGIN"}},
        {.mechanisms = {"SCRAM-SHA-256"}},
        {.mechanisms = {"SCRAM-SHA-256"}, .initial = false},
        {.mechanisms = {"SCRAM-SHA-256-PLUS"}, .can_bind = true},
    };
    const auto heard = talk(attempts);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
        EXPECT_EQ(heard[i].login, "235 2.7.0 Welcome\r\n") << attempts[i].mechanisms[0];
        EXPECT_TRUE(heard[i].mail.starts_with("250 ")) << heard[i].mail;
    }
    ASSERT_EQ(deliver_->ledger.size(), attempts.size());
    for (const auto& line : deliver_->ledger) EXPECT_EQ(line.fields.at(0).second, "ok");
}

TEST_F(SmtpLogin, AWrongPasswordLetsNobodySend) {
    const std::vector<Attempt> attempts = {{.mechanisms = {"PLAIN"}, .password = "crayon"},
                                           {.mechanisms = {"LOGIN"}, .password = "crayon"},
                                           {.mechanisms = {"SCRAM-SHA-256"}, .password = "crayon"}};
    const auto heard = talk(attempts);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
        EXPECT_EQ(heard[i].login, "535 5.7.8 Wrong name or password\r\n") << attempts[i].mechanisms[0];
        EXPECT_TRUE(heard[i].mail.starts_with("530 5.7.0 ")) << heard[i].mail;
    }
    ASSERT_EQ(deliver_->ledger.size(), 3u);
    for (const auto& line : deliver_->ledger) EXPECT_EQ(line.fields.at(0).second, "failed");
}

TEST_F(SmtpLogin, DeliverAwayIsNotTheUsersFault_Rfc4954_6) {
    deliver_->away = true;
    for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256"}) {
        const Heard heard = talk({.mechanisms = {mechanism}});
        EXPECT_TRUE(heard.login.starts_with("454 4.7.0 ")) << heard.login;
        EXPECT_TRUE(heard.mail.starts_with("530 ")) << heard.mail;
    }
}

// A client may have no other binding, also under TLS 1.3.
TEST_F(SmtpLogin, AClientMayBindToTheCertificateAlone_Rfc5929_4) {
    const Heard heard =
        talk({.mechanisms = {"SCRAM-SHA-256-PLUS"}, .can_bind = true, .certificate_alone = true});
    EXPECT_TRUE(heard.login.starts_with("235 ")) << heard.login;
}

TEST_F(SmtpLogin, TheConnectionsBindingsGoAlong) {
    EXPECT_TRUE(talk({.mechanisms = {"SCRAM-SHA-256-PLUS"}, .can_bind = true}).login.starts_with("235 "));
    ASSERT_FALSE(deliver_->bindings.empty());
    for (const std::string& binding : deliver_->bindings)
        EXPECT_EQ(binding, "tls-exporter tls-server-end-point");
}

TEST_F(SmtpLogin, AClientThatWasNotToldOfPlusIsBeingDeceived_Rfc5802_6) {
    const Heard heard = talk({.mechanisms = {"SCRAM-SHA-256"}, .can_bind = true});
    EXPECT_TRUE(heard.login.starts_with("535 ")) << heard.login;
}

TEST_F(SmtpLogin, AHiddenMechanismIsNeitherShownNorTakenNorBoundTo) {
    profile_.hidden = {"AUTH SCRAM-SHA-256-PLUS"};
    Heard heard = talk({.mechanisms = {"SCRAM-SHA-256-PLUS"}, .can_bind = true});
    EXPECT_EQ(line_of(heard.ehlo, "250-AUTH"), "250-AUTH SCRAM-SHA-256 PLAIN LOGIN");
    EXPECT_TRUE(heard.login.starts_with("504 5.5.4 ")) << heard.login;
    EXPECT_TRUE(heard.mail.starts_with("530 ")) << heard.mail;
    EXPECT_TRUE(deliver_->bindings.empty()) << "deliver was not even asked";

    // One that could have bound, and says so, is no victim of a downgrade here.
    heard = talk({.mechanisms = {"SCRAM-SHA-256"}, .can_bind = true});
    EXPECT_TRUE(heard.login.starts_with("235 ")) << heard.login;
    ASSERT_FALSE(deliver_->bindings.empty());
    for (const std::string& binding : deliver_->bindings) EXPECT_EQ(binding, "");
}

TEST_F(SmtpLogin, AnyMechanismCanBeHidden) {
    profile_.hidden = {"AUTH PLAIN", "AUTH LOGIN"};
    const Heard heard = talk({.mechanisms = {"PLAIN"}});
    EXPECT_EQ(line_of(heard.ehlo, "250-AUTH"), "250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256");
    EXPECT_TRUE(heard.login.starts_with("504 ")) << heard.login;
}

}  // namespace
}  // namespace mailstead::smtpd
