#include "common/settings/settings.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace mailstead::settings {
namespace {

const std::filesystem::path kFile = "/etc/mailstead/mailstead.toml";

Settings parsed(const std::string& toml) {
    auto settings = parse(toml, kFile);
    EXPECT_TRUE(settings.has_value()) << (settings ? "" : settings.error().to_string());
    return settings ? *std::move(settings) : Settings{};
}

std::string problems(const std::string& toml) {
    const auto settings = parse(toml, kFile);
    return settings ? "(none)" : settings.error().to_string();
}

TEST(Settings, DescribeParsesToTheDefaults) {
    const Settings described = parsed(describe());
    const Settings defaults = parsed("hostname = \"mail.example.org\"\n");
    EXPECT_EQ(described, defaults);
    EXPECT_EQ(defaults.listeners.size(), 7U);
    EXPECT_EQ(defaults.relay.retry_lifetime, Seconds(432000));
    EXPECT_EQ(defaults.limits.message_size, 50U * 1024 * 1024);
    EXPECT_EQ(defaults.imap.hidden_capabilities, std::vector<std::string>{"UIDONLY"});
    EXPECT_EQ(defaults.smtp.hidden_capabilities, std::vector<std::string>{"AUTH SCRAM-SHA-256-PLUS"});
}

TEST(Settings, TheExampleFileIsWhatDescribePrints) {
    std::ifstream in(MAILSTEAD_TEST_DATA "/../../config/mailstead.toml.example");
    const std::string example{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    EXPECT_EQ(example, describe())
        << "`mailstead config describe >config/mailstead.toml.example` brings it up to date";
}

TEST(Settings, DescribeNamesEveryKeyWithItsReaders) {
    const std::string text = describe();
    for (const std::string_view key :
         {"hostname = ", "data_dir = ", "[[listener]]", "service = ", "[tls]", "certificate = ", "[dns]",
          "servers = ", "[relay]", "port = ", "smarthost = ", "ca_file = ", "[limits]"}) {
        EXPECT_NE(text.find(key), std::string::npos) << key;
    }
}

TEST(Settings, ReadsTheKeysThatScriptsRelyOn) {
    const Settings s = parsed(R"(
hostname = "Mail.Example.Org"
data_dir = "data"
[[listener]]
service = "submission"
address = "127.0.0.1:2465"
tls = "implicit"
[[listener]]
service = "imap"
address = "[::1]:2143"
hidden_capabilities = ["idle"]
[tls]
certificate = "fullchain.pem"
key = "/secret/key.pem"
[[tls.more]]
certificate = "b.pem"
key = "b.key"
[dns]
servers = ["127.0.0.1:5353", "::1"]
[relay]
port = 2526
smarthost = "smtps://me%40example.org@smtp.example.net:465"
smarthost_password_file = "pass"
ca_file = "ca.pem"
)");
    EXPECT_EQ(s.hostname.ascii(), "mail.example.org");
    EXPECT_EQ(s.data_dir, "/etc/mailstead/data");
    ASSERT_EQ(s.listeners.size(), 2U);
    EXPECT_EQ(s.listeners[0].service, Service::submission);
    EXPECT_EQ(s.listeners[0].address, (Endpoint{"127.0.0.1", 2465}));
    EXPECT_EQ(s.listeners[0].tls, TlsMode::implicit);
    EXPECT_EQ(s.listeners[1].address, (Endpoint{"::1", 2143}));
    EXPECT_EQ(s.listeners[1].tls, TlsMode::starttls);
    EXPECT_EQ(s.listeners[1].hidden_capabilities, std::vector<std::string>{"IDLE"});
    EXPECT_EQ(s.listeners_of(Service::imap).size(), 1U);
    ASSERT_EQ(s.tls.certificates.size(), 2U);
    EXPECT_EQ(s.tls.certificates[0].certificate, "/etc/mailstead/fullchain.pem");
    EXPECT_EQ(s.tls.certificates[0].key, "/secret/key.pem");
    EXPECT_EQ(s.tls.certificates[1].key, "/etc/mailstead/b.key");
    EXPECT_EQ(s.dns.servers, (std::vector<Endpoint>{{"127.0.0.1", 5353}, {"::1", 53}}));
    EXPECT_EQ(s.relay.port, 2526);
    ASSERT_TRUE(s.relay.smarthost);
    EXPECT_EQ(s.relay.smarthost->user, "me@example.org");
    EXPECT_EQ(s.relay.smarthost->host.ascii(), "smtp.example.net");
    EXPECT_EQ(s.relay.smarthost->password_file, "/etc/mailstead/pass");
    EXPECT_EQ(s.relay.ca_file, "/etc/mailstead/ca.pem");
}

TEST(Settings, ErrorsSayFileLineKeyAndWhatWasExpected) {
    struct Case {
        std::string name;
        std::string toml;
        std::string expected;  // the whole report, without the file's name
    };
    const Case cases[] = {
        {"syntax", "hostname = ", ":1: "},
        {"duplicate key", "hostname = \"a.example\"\nhostname = \"b.example\"\n", ":2: "},
        {"missing", "", ":1: hostname: is missing"},
        {"wrong type", "hostname = 5\n", ":1: hostname: a text in quotes is expected, not 5"},
        {"bad host", "hostname = \"a..b\"\n",
         ":1: hostname: a host name, such as \"mail.example.org\" is expected, not 'a..b'"},
        {"number bound", "hostname = \"a.example\"\n[relay]\nport = 65536\n",
         ":3: relay.port: a number from 1 to 65535 is expected, not 65536"},
        {"number as text", "hostname = \"a.example\"\n[relay]\nport = \"smtp\"\n",
         ":3: relay.port: a number from 1 to 65535 is expected, not 'smtp'"},
        {"negative", "hostname = \"a.example\"\nworkers = -1\n",
         ":2: workers: a number from 0 to 256 is expected, not -1"},
        {"size bound", "hostname = \"a.example\"\nlimits.message_size = \"1 KiB\"\n",
         ":2: limits.message_size: a size from 64 KiB to 2 GiB is expected, not '1 KiB'"},
        {"duration", "hostname = \"a.example\"\nrelay.retry_lifetime = \"long\"\n",
         ":2: relay.retry_lifetime: a time such as"},
        {"boolean", "hostname = \"a.example\"\n[smtp]\nenforce_dmarc = 1\n",
         ":3: smtp.enforce_dmarc: true or false is expected, not 1"},
        {"list", "hostname = \"a.example\"\n[dns]\nservers = \"127.0.0.1\"\n",
         ":3: dns.servers: a list of texts"},
        {"dns name", "hostname = \"a.example\"\n[dns]\nservers = [\"dns.example\"]\n",
         ":3: dns.servers: \"address\" or"},
        {"unknown key", "hostname = \"a.example\"\n[relay]\nprot = 25\n",
         ":3: relay.prot: is not a known key; did you mean relay.port?"},
        {"unknown top key", "hostname = \"a.example\"\ndatadir = \"x\"\n",
         ":2: datadir: is not a known key; did you mean data_dir?"},
        {"key in the wrong table", "hostname = \"a.example\"\n[smtp]\nmessage_size = 5\n",
         ":3: smtp.message_size: is not a known key; did you mean limits.message_size?"},
        {"unknown table", "hostname = \"a.example\"\n[limit]\nconnections = 5\n",
         ":2: limit: is not a known key; did you mean [limits]?"},
        {"far from all", "hostname = \"a.example\"\nxyzzyplugh = 1\n",
         ":2: xyzzyplugh: is not a known key\n"},
        {"table instead of array", "hostname = \"a.example\"\n[listener]\nservice = \"smtp\"\n",
         ":2: listener: tables [[listener]] are expected"},
        {"value instead of table", "hostname = \"a.example\"\nrelay = 5\n",
         ":2: relay: a table [relay] is expected"},
        {"service", "hostname = \"a.example\"\n[[listener]]\nservice = \"ftp\"\naddress = \"127.0.0.1:1\"\n",
         ":3: listener[1].service: one of \"smtp\", \"submission\", \"imap\", \"pop3\", \"web\" is expected, "
         "not 'ftp'"},
        {"address without port",
         "hostname = \"a.example\"\n[[listener]]\nservice = \"smtp\"\naddress = \"127.0.0.1\"\n",
         ":4: listener[1].address: \"address:port\""},
        {"missing in listener", "hostname = \"a.example\"\n[[listener]]\nservice = \"smtp\"\n",
         ":2: listener[1].address: is missing"},
        {"port twice",
         "hostname = \"a.example\"\n[[listener]]\nservice = \"smtp\"\naddress = \"127.0.0.1:25\"\n"
         "[[listener]]\nservice = \"imap\"\naddress = \"127.0.0.1:25\"\n",
         ":5: listener[2].address: is taken by listener[1]"},
        {"certificate without key", "hostname = \"a.example\"\n[tls]\ncertificate = \"a.pem\"\n",
         ": tls.key: certificate and key belong together"},
        {"smarthost scheme", "hostname = \"a.example\"\n[relay]\nsmarthost = \"smtp.example.org\"\n",
         ":3: relay.smarthost: \"smtps://"},
        {"password in the url", "hostname = \"a.example\"\n[relay]\nsmarthost = \"smtps://u:p@h.example\"\n",
         "does not belong here"},
        {"smarthost user without password",
         "hostname = \"a.example\"\n[relay]\nsmarthost = \"smtps://u@h.example\"\n",
         "relay.smarthost_password_file: is missing"},
        {"source addresses",
         "hostname = \"a.example\"\n[relay]\nsource_addresses = [\"192.0.2.1\", \"192.0.2.2\"]\n",
         "at most one IPv4 and one IPv6 address"},
        {"log level", "hostname = \"a.example\"\n[log]\nlevel = \"loud\"\n", "one of \"debug\""},
    };
    for (const Case& c : cases) {
        const std::string report = problems(c.toml);
        EXPECT_NE(report.find(c.expected), std::string::npos) << c.name << ": " << report;
        EXPECT_TRUE(report.starts_with(kFile.string())) << c.name << ": " << report;
    }
}

TEST(Settings, ReportsEveryProblemAtOnce) {
    const auto settings = parse("workers = 1000\n[relay]\nport = 0\nprot = 1\n", kFile);
    ASSERT_FALSE(settings);
    EXPECT_EQ(settings.error().list.size(), 4U) << settings.error().to_string();
}

TEST(Settings, EveryNestedDepthAndOddTomlIsRefusedNotCrashed) {
    for (const std::string toml : {"[[[", "a.b.c.d = 1", "hostname = [[[]]]", "listener = [1]", "tls = []",
                                   "relay.route = {}", "\xff\xfe"}) {
        EXPECT_NE(problems(toml), "(none)") << toml;
    }
}

TEST(Settings, ShortFormsOfAddresses) {
    EXPECT_EQ(Endpoint::parse("[2001:DB8::1]:25")->to_string(), "[2001:db8::1]:25");
    EXPECT_EQ(Endpoint::parse("192.0.2.1", 53)->to_string(), "192.0.2.1:53");
    for (const std::string_view bad :
         {"", ":25", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "[::1]",
          "[::1]25", "[::1", "::1:25:", "localhost:25"}) {
        EXPECT_FALSE(Endpoint::parse(bad)) << bad;
    }
}

TEST(Settings, SmarthostUrls) {
    const auto plain = Smarthost::parse("smtp://127.0.0.1:2526");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->host.literal(), "127.0.0.1");
    EXPECT_EQ(plain->tls, TlsMode::starttls);
    EXPECT_EQ(Smarthost::parse("smtps://h.example")->port, 465);
    EXPECT_EQ(Smarthost::parse("smtp://h.example/")->port, 587);
    EXPECT_EQ(Smarthost::parse("smtp://[::1]:25")->host.literal(), "::1");
    EXPECT_EQ(Smarthost::parse("smtps://a@b.example@h.example")->user, "a@b.example");
    for (const std::string_view bad :
         {"", "smtps://", "imap://h", "smtps://h:0", "smtps://a%4@h.example", "smtps://h/path"}) {
        EXPECT_FALSE(Smarthost::parse(bad)) << bad;
    }
}

TEST(Settings, TheMostExactRouteWins) {
    const Settings s = parsed(R"(
hostname = "a.example"
[relay]
smarthost = "smtp://general.example"
[[relay.route]]
domain = ".example.org"
smarthost = "smtp://wide.example"
[[relay.route]]
domain = "example.org"
smarthost = "smtp://exact.example"
[[relay.route]]
domain = "direct.example.org"
)");
    const auto host = [&](std::string_view to) {
        const auto& smarthost = s.relay.smarthost_for(*Domain::parse(to));
        return smarthost ? smarthost->host.ascii() : "direct";
    };
    EXPECT_EQ(host("example.net"), "general.example");
    EXPECT_EQ(host("example.org"), "exact.example");
    EXPECT_EQ(host("a.example.org"), "wide.example");
    EXPECT_EQ(host("direct.example.org"), "direct");
    EXPECT_EQ(host("notexample.org"), "general.example");
}

TEST(Settings, TokensAreAskedAboutByHttpsAlone) {
    const Settings s = parsed(
        "hostname = \"a.example\"\n[oauth]\nintrospection_url = \"https://id.example/introspect\"\n"
        "client_secret_file = \"secret\"\nscope = \"mail imap\"\n");
    EXPECT_TRUE(s.oauth.is_configured());
    EXPECT_EQ(s.oauth.client_secret_file, std::filesystem::path(kFile).parent_path() / "secret");
    EXPECT_EQ(s.oauth.scope, "mail imap");
    for (const char* bad :
         {"introspection_url = \"http://id.example/\"", "discovery_url = \"ftp://id.example\"",
          "scope = 'a\"b'", "introspection_url = 'https://id.example/\"'"}) {
        EXPECT_FALSE(parse("hostname = \"a.example\"\n[oauth]\n" + std::string(bad) + "\n", kFile)) << bad;
    }
}

TEST(Settings, AFileThatIsNotThereSaysHowToGetOne) {
    const auto settings = load("/nonexistent/mailstead.toml");
    ASSERT_FALSE(settings);
    EXPECT_NE(settings.error().to_string().find("mailstead init"), std::string::npos);
    EXPECT_FALSE(load("/tmp"));
}

TEST(Settings, SurroundingsAreCheckedApart) {
    const Settings s = parsed(
        "hostname = \"a.example\"\ndata_dir = \"/nonexistent\"\nuser = \"no-such-user\"\n"
        "[[listener]]\nservice = \"web\"\naddress = \"127.0.0.1:1\"\ntls = \"none\"\n"
        "[[listener]]\nservice = \"pop3\"\naddress = \"127.0.0.1:2\"\n"
        "[oauth]\nclient_id = \"me\"\n"
        "[tls]\ncertificate = \"/nonexistent.pem\"\nkey = \"/nonexistent.key\"\n");
    std::vector<std::string> keys;
    for (const Problem& problem : check_surroundings(s, kFile)) keys.push_back(problem.key);
    EXPECT_EQ(keys, (std::vector<std::string>{"data_dir", "user", "listener[1].service", "tls.certificate",
                                              "tls.key", "oauth.client_secret_file"}));
}

}  // namespace
}  // namespace mailstead::settings
