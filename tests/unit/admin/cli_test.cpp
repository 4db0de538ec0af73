#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/base/file_descriptor.h"
#include "common/settings/settings.h"
#include "tests/unit/admin/program.h"

namespace mailstead::admin {

namespace {

constexpr const char* kPassword = "correct horse battery staple\n";

std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A temporary file that takes a stream of the program: nothing blocks, however much it says.
FileDescriptor temporary_file() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mailstead-out-XXXXXX").string();
    FileDescriptor file(::mkostemp(pattern.data(), O_CLOEXEC));
    ::unlink(pattern.c_str());
    return file;
}
std::string content_of(const FileDescriptor& file) {
    std::string out(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(file.get(), out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
    return out;
}

}  // namespace

Done run(const std::filesystem::path& program, const std::vector<std::string>& arguments,
         const std::string& input) {
    const FileDescriptor in = temporary_file();
    const FileDescriptor out = temporary_file();
    const FileDescriptor err = temporary_file();
    EXPECT_EQ(::pwrite(in.get(), input.data(), input.size(), 0), static_cast<ssize_t>(input.size()));
    std::vector<std::string> all = {program.string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& argument : all) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();  // no terminal
        ::lseek(in.get(), 0, SEEK_SET);
        ::dup2(in.get(), STDIN_FILENO);
        ::dup2(out.get(), STDOUT_FILENO);
        ::dup2(err.get(), STDERR_FILENO);
        ::execv(pointers.front(), pointers.data());
        ::_exit(127);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content_of(out), content_of(err)};
}

Sandbox::Sandbox() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mailstead-cli-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
}
Sandbox::~Sandbox() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}
Done Sandbox::init() {
    return run(MAILSTEAD_PROGRAM,
               {"init", "you@example.org", "--dir", path_.string(), "--hostname", "mail.example.org",
                "--local", "--password-stdin"},
               kPassword);
}
Done Sandbox::operator()(std::vector<std::string> arguments, const std::string& input) const {
    arguments.insert(arguments.begin(), {"-c", config().string()});
    return run(MAILSTEAD_PROGRAM, arguments, input);
}
std::string Sandbox::ok(const std::vector<std::string>& arguments, const std::string& input) const {
    const Done done = (*this)(arguments, input);
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return done.out;
}

namespace {

bool has(const std::string& text, std::string_view piece) {
    return text.find(piece) != std::string::npos;
}

TEST(CliInit, LaysOutALocalInstallationThatReads) {
    Sandbox mailstead;
    const Done done = mailstead.init();
    ASSERT_EQ(done.exit_code, 0) << done.err;
    EXPECT_TRUE(has(done.out, "_domainkey.example.org"));
    EXPECT_TRUE(has(done.out, "IMAP  localhost port 2993 (TLS)"));
    EXPECT_TRUE(has(done.out, "POP3  localhost port 2110 (STARTTLS)"));
    EXPECT_TRUE(has(done.out, "0 1 2995 mail.example.org"));
    EXPECT_TRUE(has(done.out, "serve"));
    for (const char* file :
         {"mailstead.toml", "ca.pem", "tls/fullchain.pem", "tls/key.pem", "data/directory/data.mdb",
          "data/credentials/data.mdb", "data/run", "data/spool"}) {
        EXPECT_TRUE(std::filesystem::exists(mailstead.path() / file)) << file;
    }
    const auto settings = settings::load(mailstead.config());
    ASSERT_TRUE(settings) << settings.error().to_string();
    EXPECT_EQ(settings->data_dir, mailstead.path() / "data");
    std::vector<std::string> listeners;
    for (const settings::Listener& l : settings->listeners) {
        listeners.push_back(std::string(to_string(l.service)) + ' ' + l.address.to_string() + ' ' +
                            std::string(to_string(l.tls)));
    }
    EXPECT_EQ(listeners,
              (std::vector<std::string>{"smtp 127.0.0.1:2525 starttls", "submission 127.0.0.1:2465 implicit",
                                        "submission 127.0.0.1:2587 starttls", "imap 127.0.0.1:2993 implicit",
                                        "imap 127.0.0.1:2143 starttls", "pop3 127.0.0.1:2995 implicit",
                                        "pop3 127.0.0.1:2110 starttls"}));
    EXPECT_TRUE(has(mailstead.ok({"config", "check"}), "in order"));
}

TEST(CliInit, KeepsSecretsToItsUser) {
    Sandbox mailstead;
    ASSERT_EQ(mailstead.init().exit_code, 0);
    const auto mode = [&](const char* file) {
        struct stat status {};
        EXPECT_EQ(::stat((mailstead.path() / file).c_str(), &status), 0);
        return status.st_mode & 0777;
    };
    EXPECT_EQ(mode("data"), 0700U);
    EXPECT_EQ(mode("data/credentials"), 0700U);
    EXPECT_EQ(mode("tls/key.pem") & 0007, 0U);
    EXPECT_FALSE(has(read_file(mailstead.path() / "data/credentials/data.mdb"), "correct horse"));
}

TEST(CliInit, RefusesASecondTimeAndChangesNothing) {
    Sandbox mailstead;
    ASSERT_EQ(mailstead.init().exit_code, 0);
    const std::string before = read_file(mailstead.config());
    const Done again = mailstead.init();
    EXPECT_EQ(again.exit_code, EX_CANTCREAT);
    EXPECT_TRUE(has(again.err, "account add")) << again.err;
    EXPECT_EQ(read_file(mailstead.config()), before);
}

TEST(CliInit, GoesOnAfterAnInterruption) {
    Sandbox mailstead;
    ASSERT_EQ(mailstead.init().exit_code, 0);
    const std::string key = read_file(mailstead.path() / "tls/key.pem");
    std::filesystem::remove(mailstead.config());  // what is written last
    ASSERT_EQ(mailstead.init().exit_code, 0);
    EXPECT_EQ(read_file(mailstead.path() / "tls/key.pem"), key);
    EXPECT_EQ(mailstead.ok({"account", "list", "--format", "json"}).find("\"id\":2"), std::string::npos);
}

TEST(CliInit, WrongUseIsExplained) {
    struct Case {
        std::vector<std::string> arguments;
        int exit_code;
        std::string says;
    };
    Sandbox mailstead;
    const std::string folder = mailstead.path().string();
    const Case cases[] = {
        {{"init"}, EX_USAGE, "ADDRESS"},
        {{"init", "nonsense", "--dir", folder, "--local", "--password-stdin"},
         EX_DATAERR,
         "not a mail address"},
        {{"init", "a@[192.0.2.1]", "--dir", folder, "--local", "--password-stdin"},
         EX_DATAERR,
         "at a domain"},
        {{"init", "a@example.org", "--dir", folder, "--local"}, EX_USAGE, "--password-stdin"},
        {{"init", "a@example.org", "--hostname", "-x-", "--dir", folder, "--local", "--password-stdin"},
         EX_DATAERR,
         "not a domain"},
        {{"frobnicate"}, EX_USAGE, ""},
        {{}, EX_USAGE, ""},
    };
    for (const Case& c : cases) {
        const Done done = run(MAILSTEAD_PROGRAM, c.arguments, kPassword);
        EXPECT_EQ(done.exit_code, c.exit_code) << done.err;
        EXPECT_TRUE(has(done.err, c.says)) << done.err;
        EXPECT_FALSE(std::filesystem::exists(mailstead.config()));
    }
}

TEST(CliInit, ProductionInAFolderHasStandardPortsAndSaysThatItsCertificateIsSelfSigned) {
    Sandbox mailstead;
    const Done done =
        run(MAILSTEAD_PROGRAM,
            {"init", "you@example.org", "--dir", mailstead.path().string(), "--password-stdin"}, kPassword);
    ASSERT_EQ(done.exit_code, 0) << done.err;
    EXPECT_TRUE(has(done.out, "SELF-SIGNED"));
    EXPECT_TRUE(has(done.out, "mail.example.org port 993 (TLS)"));
    const auto settings = settings::load(mailstead.config());
    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->hostname.ascii(), "mail.example.org");
    EXPECT_EQ(settings->listeners, settings::parse("hostname = \"a.example\"", "x")->listeners)
        << "the standard ports";
}

class Cli : public testing::Test {
protected:
    Cli() { EXPECT_EQ(mailstead.init().exit_code, 0); }
    Sandbox mailstead;
};

TEST_F(Cli, AccountsComeAndGo) {
    mailstead.ok({"account", "add", "me@example.org", "--name", "Me Myself", "--quota", "10K",
                  "--hide-capability", "uidonly", "--password-stdin"},
                 kPassword);
    const std::string list = mailstead.ok({"account", "list", "--format", "json"});
    EXPECT_TRUE(
        has(list, R"({"id":2,"address":"me@example.org","name":"Me Myself","quota":10240,"login":true})"))
        << list;
    mailstead.ok({"account", "quota", "me@example.org", "2 GiB"});
    mailstead.ok(
        {"account", "set", "me", "--lock", "--hide-capability", "IDLE", "--offer-capability", "uidonly"});
    const std::string shown = mailstead.ok({"account", "show", "me", "--format", "json"});
    EXPECT_TRUE(has(shown, "\"quota\":2147483648")) << shown;
    EXPECT_TRUE(has(shown, "\"login\":false")) << shown;
    EXPECT_TRUE(has(shown, "\"hidden_capabilities\":[\"IDLE\"]")) << shown;
    mailstead.ok({"account", "passwd", "me@example.org", "--password-stdin"}, "another one\n");
    EXPECT_EQ(mailstead({"account", "passwd", "me@example.org", "--password-stdin"}, "\n").exit_code,
              EX_DATAERR);
    mailstead.ok({"account", "remove", "me@example.org"});
    EXPECT_EQ(mailstead({"account", "show", "me@example.org"}).exit_code, EX_NOUSER);
    EXPECT_EQ(mailstead({"account", "remove", "nobody@example.org"}).exit_code, EX_NOUSER);
    EXPECT_EQ(mailstead({"account", "add", "you@example.org", "--password-stdin"}, kPassword).exit_code,
              EX_DATAERR);
    EXPECT_EQ(mailstead({"account", "add", "you@example.net", "--password-stdin"}, kPassword).exit_code,
              EX_DATAERR);
    EXPECT_EQ(mailstead({"account", "quota", "you", "lots"}).exit_code, EX_DATAERR);
}

TEST_F(Cli, ARemovedAccountComesBackUntilItsMailIsDeleted) {
    mailstead.ok({"account", "add", "me@example.org", "--quota", "10K", "--password-stdin"}, kPassword);
    const std::string before = mailstead.ok({"account", "show", "me", "--format", "json"});
    EXPECT_EQ(mailstead({"account", "remove", "me", "--after", "1 day"}).exit_code, EX_USAGE);
    EXPECT_EQ(mailstead({"account", "remove", "me", "--delete-mail", "--after", "soon"}).exit_code,
              EX_DATAERR);
    EXPECT_TRUE(has(mailstead.ok({"account", "remove", "me"}), "Its mail stays"));
    EXPECT_TRUE(has(mailstead.ok({"account", "list", "--removed", "--format", "json"}),
                    R"("mail_deleted_after":null)"));
    EXPECT_FALSE(has(mailstead.ok({"account", "list", "--format", "json"}), "me@example.org"));
    EXPECT_EQ(mailstead({"account", "remove", "me@example.org"}).exit_code, EX_DATAERR) << "removed already";
    EXPECT_TRUE(has(mailstead.ok({"account", "remove", "2", "--delete-mail"}), "is deleted after"));
    mailstead.ok({"account", "undelete", "me@example.org"});
    EXPECT_EQ(mailstead.ok({"account", "show", "me", "--format", "json"}), before);
    EXPECT_EQ(mailstead.ok({"account", "list", "--removed", "--format", "json"}), "[]\n");
    EXPECT_EQ(mailstead({"account", "undelete", "me@example.org"}).exit_code, EX_UNAVAILABLE)
        << "it is there: its messages are deliver's to give back";

    mailstead.ok({"account", "remove", "me@example.org"});
    mailstead.ok({"account", "add", "me@example.org", "--password-stdin"}, kPassword);
    EXPECT_TRUE(has(mailstead.ok({"account", "show", "me", "--format", "json"}), "\"id\":3"))
        << "a number is not given twice";
    EXPECT_EQ(mailstead({"account", "undelete", "2"}).exit_code, EX_DATAERR) << "the address is taken";
    mailstead.ok({"account", "undelete", "2", "--as", "first@example.org"});
    mailstead.ok({"account", "remove", "me@example.org"});
    mailstead.ok({"account", "remove", "first@example.org"});
    mailstead.ok({"account", "undelete", "3"});
    EXPECT_TRUE(has(mailstead.ok({"account", "remove", "me", "--delete-mail", "--after", "0"}),
                    "when deliver has time"))
        << "it does not run here";
}

TEST_F(Cli, AppPasswordsAreShownOnce) {
    const std::string password = mailstead.ok({"account", "app-password", "you", "add", "phone"});
    EXPECT_EQ(password.size(), 30U) << password;
    const std::string list = mailstead.ok({"account", "app-password", "you", "list", "--format", "json"});
    EXPECT_TRUE(has(list, "\"name\":\"phone\"")) << list;
    EXPECT_FALSE(has(list, password.substr(0, 29)));
    EXPECT_EQ(mailstead({"account", "app-password", "you", "add", "phone"}).exit_code, EX_DATAERR);
    EXPECT_EQ(mailstead({"account", "app-password", "you", "add"}).exit_code, EX_USAGE);
    mailstead.ok({"account", "app-password", "you", "remove", "phone"});
    EXPECT_EQ(mailstead({"account", "app-password", "you", "remove", "phone"}).exit_code, EX_DATAERR);
    EXPECT_EQ(mailstead.ok({"account", "app-password", "you", "list", "--format", "json"}), "[]\n");
}

TEST_F(Cli, AliasesAndCatchAll) {
    mailstead.ok({"alias", "add", "sales@example.org", "you@example.org", "partner@example.net"});
    mailstead.ok({"alias", "add", "@example.org", "you@example.org"});
    EXPECT_EQ(
        mailstead.ok({"alias", "list", "--format", "json"}),
        "[{\"address\":\"@example.org\",\"targets\":[\"you@example.org\"]},"
        "{\"address\":\"sales@example.org\",\"targets\":[\"you@example.org\",\"partner@example.net\"]}]\n");
    mailstead.ok({"alias", "remove", "sales@example.org", "you@example.org"});
    mailstead.ok({"alias", "remove", "@example.org"});
    EXPECT_EQ(mailstead.ok({"alias", "list", "--format", "json"}),
              "[{\"address\":\"sales@example.org\",\"targets\":[\"partner@example.net\"]}]\n");
    EXPECT_EQ(mailstead({"alias", "add", "x@example.org", "typo@example.org"}).exit_code, EX_DATAERR);
    EXPECT_EQ(mailstead({"alias", "remove", "x@example.org"}).exit_code, EX_DATAERR);
}

TEST_F(Cli, DomainsAndTheirKeys) {
    mailstead.ok({"domain", "add",
                  "b\xC3\xBC"
                  "cher.example"});
    mailstead.ok({"domain", "add", "also.example", "--alias-of", "example.org"});
    const std::string list = mailstead.ok({"domain", "list", "--format", "json"});
    EXPECT_TRUE(has(list,
                    "\"domain\":\"b\xC3\xBC"
                    "cher.example\""))
        << list;
    EXPECT_TRUE(has(list, "\"alias_of\":\"example.org\"")) << list;
    EXPECT_EQ(mailstead({"domain", "add", "example.org"}).exit_code, EX_DATAERR);
    EXPECT_EQ(mailstead({"domain", "remove", "example.org"}).exit_code, EX_DATAERR) << "has an account";
    mailstead.ok({"domain", "remove", "also.example"});

    EXPECT_EQ(mailstead({"domain", "rotate-dkim", "example.org", "--activate"}).exit_code, EX_DATAERR);
    const std::string prepared = mailstead.ok({"domain", "rotate-dkim", "example.org"});
    EXPECT_TRUE(has(prepared, "--activate")) << prepared;
    EXPECT_EQ(mailstead.ok({"domain", "rotate-dkim", "example.org"}), prepared) << "still the same new key";
    EXPECT_TRUE(has(mailstead.ok({"domain", "show", "example.org"}), "pending"));
    mailstead.ok({"domain", "rotate-dkim", "example.org", "--activate"});
    const std::string shown = mailstead.ok({"domain", "show", "example.org"});
    EXPECT_TRUE(has(shown, "signing") && has(shown, "retired") && !has(shown, "pending")) << shown;
}

TEST_F(Cli, DnsRecordsInThreeForms) {
    const std::string json = mailstead.ok({"dns", "records", "example.org", "--format", "json"});
    EXPECT_TRUE(json.starts_with("[{\"name\":\"")) << json;
    EXPECT_TRUE(has(json, "\"type\":\"MX\",\"ttl\":3600,\"value\":\"10 mail.example.org\"")) << json;
    EXPECT_TRUE(has(json, "v=DKIM1; k=rsa; p=")) << json;
    EXPECT_FALSE(has(json, "\"type\":\"A\"")) << "loopback alone is no address to publish";
    EXPECT_TRUE(
        has(mailstead.ok({"dns", "records", "example.org", "--format", "zone"}), "mail.example.org."));
    EXPECT_TRUE(has(mailstead.ok({"dns", "records", "example.org"}), "_dmarc.example.org"));
    EXPECT_EQ(mailstead({"dns", "records", "example.net"}).exit_code, EX_DATAERR);
    EXPECT_EQ(mailstead({"dns", "records", "example.org", "--format", "xml"}).exit_code, EX_USAGE);
}

TEST_F(Cli, ConfigurationErrorsNameFileLineAndKey) {
    std::ofstream(mailstead.config(), std::ios::app) << "[relay]\nprot = 25\n";
    const Done done = mailstead({"config", "check"});
    EXPECT_EQ(done.exit_code, EX_CONFIG);
    EXPECT_TRUE(has(done.err, "mailstead.toml:") && has(done.err, "relay.prot") &&
                has(done.err, "did you mean relay.port?"))
        << done.err;
    EXPECT_EQ(mailstead({"account", "list"}).exit_code, EX_CONFIG);
    EXPECT_EQ(mailstead({"serve"}).exit_code, EX_CONFIG);
    EXPECT_EQ(run(MAILSTEAD_PROGRAM, {"config", "check", "-c", "/nonexistent"}).exit_code, EX_CONFIG);
    EXPECT_EQ(run(MAILSTEAD_PROGRAM, {"config", "describe"}).out, settings::describe());
}

TEST_F(Cli, WithoutDaemonsItSaysSo) {
    const Done status = mailstead({"status", "--format", "json"});
    EXPECT_EQ(status.exit_code, EX_UNAVAILABLE);
    EXPECT_TRUE(has(status.out, "\"running\":false")) << status.out;
    EXPECT_EQ(mailstead({"queue", "list"}).exit_code, EX_UNAVAILABLE);
    EXPECT_EQ(mailstead({"queue", "retry", "all"}).exit_code, EX_UNAVAILABLE);
    EXPECT_EQ(mailstead({"queue", "retry", "nonsense!"}).exit_code, EX_DATAERR);
    EXPECT_EQ(mailstead({"trace", "nobody"}).exit_code, EX_UNAVAILABLE);
}

TEST(CliCheck, AsksForWhatItNeeds) {
    EXPECT_EQ(run(MAILSTEAD_PROGRAM, {"check", "spf", "--ip", "nonsense", "--helo", "a.example"}).exit_code,
              EX_USAGE);
    EXPECT_EQ(run(MAILSTEAD_PROGRAM, {"check", "spf", "--ip", "192.0.2.1"}).exit_code, EX_USAGE);
    EXPECT_EQ(run(MAILSTEAD_PROGRAM, {"check", "dkim", "--dns", "nonsense"}).exit_code, EX_USAGE);
    EXPECT_EQ(run(MAILSTEAD_PROGRAM, {"check", "dkim", "--dns", "127.0.0.1:1"}).exit_code, EX_DATAERR);
}

TEST(CliCheck, AMessageWithoutSignatureIsNone) {
    const Done done = run(MAILSTEAD_PROGRAM, {"check", "dkim", "--dns", "127.0.0.1:1", "--format", "json"},
                          "From: a@example.org\n\nHello\n");
    EXPECT_EQ(done.exit_code, 0) << done.err;
    EXPECT_TRUE(done.out.starts_with("{\"result\":\"none\"")) << done.out;
}

}  // namespace
}  // namespace mailstead::admin
