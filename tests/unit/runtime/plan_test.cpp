// From the settings to what a daemon asks of the system.
#include "common/runtime/plan.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "common/runtime/server_tls.h"
#include "tests/unit/net/certificates.h"

namespace mailstead::runtime {
namespace {

using net::test::TemporaryFolder;
using settings::Service;
using settings::TlsMode;

settings::Listener listener(Service service, const std::string& ip, std::uint16_t port, TlsMode tls) {
    settings::Listener made;
    made.service = service;
    made.address = {ip, port};
    made.tls = tls;
    return made;
}

TEST(RuntimePlan, TakesWhatAllDaemonsShareFromTheSettings) {
    settings::Settings settings;
    settings.log = {settings::LogLevel::warning, "/var/log/mail.log"};
    settings.workers = 3;
    const Plan plan = plan_of(settings, Role::smtpd).value();
    EXPECT_EQ(plan.log_level, log::Level::warning);
    EXPECT_EQ(plan.log_file, "/var/log/mail.log");
    EXPECT_FALSE(plan.identity) << "no user is set";
    EXPECT_EQ(plan.threads, 3u);
    EXPECT_TRUE(plan.tcp.empty());
    EXPECT_TRUE(plan.sandbox.paths.empty());
}

TEST(RuntimePlan, ListenersKeepTheirOrder) {
    settings::Settings settings;
    settings.listeners = {listener(Service::submission, "192.0.2.1", 587, TlsMode::starttls),
                          listener(Service::imap, "192.0.2.1", 143, TlsMode::starttls),
                          listener(Service::smtp, "2001:db8::1", 25, TlsMode::starttls)};
    Plan plan;
    ASSERT_TRUE(add_listeners(plan, settings.listeners_of({Service::smtp, Service::submission})));
    ASSERT_EQ(plan.tcp.size(), 2u);
    EXPECT_EQ(plan.tcp[0].to_string(), "192.0.2.1:587");
    EXPECT_EQ(plan.tcp[1].to_string(), "[2001:db8::1]:25");
}

TEST(RuntimePlan, AnAddressThatIsNoneIsToldByName) {
    Plan plan;
    const auto added = add_listeners(plan, std::vector{listener(Service::smtp, "mail", 25, TlsMode::none)});
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().retry, Retry::is_useless);
    EXPECT_NE(added.error().what.find("mail:25"), std::string::npos);
}

TEST(RuntimePlan, WrongSettingsAreUselessToRetry) {
    const TemporaryFolder folder;
    std::ofstream(folder.file("mailstead.toml")) << "hostname = 1\nworkers = \"many\"\n";
    const auto loaded = load_settings(folder.file("mailstead.toml"));
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().retry, Retry::is_useless);
    EXPECT_NE(loaded.error().what.find("mailstead.toml:1"), std::string::npos) << loaded.error().what;
    EXPECT_NE(loaded.error().what.find("mailstead.toml:2"), std::string::npos) << loaded.error().what;
}

TEST(RuntimeServerTls, AListenerThatBeginsWithTlsNeedsACertificate) {
    ServerTls tls;
    const std::vector plain = {listener(Service::imap, "192.0.2.1", 143, TlsMode::starttls)};
    EXPECT_TRUE(tls.load({}, plain));
    EXPECT_EQ(tls.context(), nullptr);
    tls.reload();  // does nothing

    const std::vector implicit = {plain[0], listener(Service::imap, "192.0.2.1", 993, TlsMode::implicit)};
    const auto refused = tls.load({}, implicit);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().retry, Retry::is_useless);
}

TEST(RuntimeServerTls, ServesTheCertificatesAndMayReadTheirRenewals) {
    const TemporaryFolder folder;
    settings::Tls settings;
    settings.certificates = {{folder.file("cert.pem"), folder.file("cert.key")}};
    ServerTls tls;
    EXPECT_FALSE(tls.load(settings, {})) << "there is no such file";
    net::test::make_certificate({folder.file("cert.pem"), folder.file("cert.key")}, {"mail.example.org"});
    ASSERT_TRUE(tls.load(settings, {}));
    ASSERT_NE(tls.context(), nullptr);

    Plan plan;
    add_certificates(plan, settings);
    ASSERT_EQ(plan.sandbox.paths.size(), 2u);
    for (const PathRule& rule : plan.sandbox.paths) {
        EXPECT_EQ(rule.path, folder.path());
        EXPECT_EQ(rule.access, Access::read);
    }
}

TEST(RuntimeServerTls, ABrokenRenewalIsLoggedAndTheOldCertificateStays) {
    const TemporaryFolder folder;
    settings::Tls settings;
    settings.certificates = {{folder.file("cert.pem"), folder.file("cert.key")}};
    net::test::make_certificate({folder.file("cert.pem"), folder.file("cert.key")}, {"mail.example.org"});
    ServerTls tls;
    ASSERT_TRUE(tls.load(settings, {}));
    const auto expires = tls.context()->expires();
    net::test::write_file(folder.file("cert.pem"), "no certificate");
    log::set_level(log::Level::info, "test");
    ASSERT_TRUE(log::open(folder.file("log")));
    tls.reload();
    std::ostringstream log;
    log << std::ifstream(folder.file("log")).rdbuf();
    EXPECT_NE(log.str().find("event=tls.problem why="), std::string::npos) << log.str();
    EXPECT_EQ(tls.context()->expires(), expires);
}

}  // namespace
}  // namespace mailstead::runtime
