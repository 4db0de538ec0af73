#include "common/directory/editor.h"

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::directory {
namespace {

Address address(const std::string& text) {
    return Address::parse(text).value();
}
Domain domain(const std::string& text) {
    return Domain::parse(text).value();
}

constexpr Time kNoon{Milliseconds(1'700'000'000'000)};

class EditorTest : public ::testing::Test {
protected:
    EditorTest() : editor(edit_directory(folder.path()).value()) {}

    AccountId add(const std::string& login) {
        const auto id = editor->add_account({address(login), "", {}, {}});
        EXPECT_TRUE(id) << (id ? "" : id.error().what);
        return id ? *id : AccountId();
    }
    std::string login_of(std::string_view typed) {
        const auto account = editor->find_by_login(typed).value();
        return account ? account->login.to_string() : "none";
    }

    mailstead::testing::TemporaryFolder folder;
    std::unique_ptr<Editor> editor;
};

TEST_F(EditorTest, AccountsKeepWhatTheyWereGiven) {
    ASSERT_TRUE(editor->add_domain(domain("example.org"), {}));
    const auto id = editor->add_account({address("You@Example.org"), "Ystad Öst", {5000, 0, 0}, {"UIDONLY"}});
    ASSERT_TRUE(id);
    const auto account = editor->find_account(*id).value();
    ASSERT_TRUE(account);
    EXPECT_EQ(account->login.to_string(), "You@example.org");
    EXPECT_EQ(account->display_name, "Ystad Öst");
    EXPECT_EQ(account->limits.octets, 5000U);
    EXPECT_EQ(account->hidden_capabilities, std::vector<std::string>{"UIDONLY"});
    EXPECT_EQ(account->state, AccountState::active);
    EXPECT_FALSE(account->is_admin);
    ASSERT_TRUE(editor->set_limits(*id, {7, 8, 9}));
    ASSERT_TRUE(editor->set_admin(*id, true));
    ASSERT_TRUE(editor->set_state(*id, AccountState::disabled));
    ASSERT_TRUE(editor->set_display_name(*id, "Other"));
    ASSERT_TRUE(editor->set_hidden_capabilities(*id, {}));
    EXPECT_EQ(editor->find_account(*id).value()->limits, (Limits{7, 8, 9}));
    EXPECT_TRUE(editor->find_account(*id).value()->is_admin);
    EXPECT_EQ(editor->find_account(*id).value()->display_name, "Other");
    EXPECT_TRUE(editor->find_account(*id).value()->hidden_capabilities.empty());
    EXPECT_EQ(editor->find_account(*id).value()->state, AccountState::disabled);
    EXPECT_FALSE(editor->set_limits(AccountId(99), {1, 0, 0}));
}

TEST_F(EditorTest, IdsAreNeverGivenTwice) {
    ASSERT_TRUE(editor->add_domain(domain("example.org"), {}));
    const AccountId first = add("a@example.org");
    ASSERT_TRUE(editor->remove_account(first, {}));
    EXPECT_FALSE(editor->find_account(first).value());
    EXPECT_NE(add("a@example.org"), first);
}

TEST_F(EditorTest, ARemovedAccountComesBackAsItWas) {
    ASSERT_TRUE(editor->add_domain(domain("example.org"), {}));
    const AccountId first = add("a@example.org");
    ASSERT_TRUE(editor->set_limits(first, {7, 8, 9}));
    ASSERT_TRUE(editor->remove_account(first, kNoon));
    const auto removed = editor->removed_accounts().value();
    ASSERT_EQ(removed.size(), 1U);
    EXPECT_EQ(removed[0].account.id, first);
    EXPECT_EQ(removed[0].delete_at, kNoon);
    EXPECT_EQ(login_of("a@example.org"), "none");
    EXPECT_FALSE(editor->begin_deletion(first, kNoon - Milliseconds(1)).value()) << "not yet";

    const AccountId second = add("a@example.org");
    EXPECT_FALSE(editor->undelete_account(first, {})) << "the address is another account's";
    EXPECT_EQ(editor->undelete_account(first, address("b@example.org")).value().login.unicode(),
              "b@example.org");
    EXPECT_EQ(editor->find_account(first).value()->limits, (Limits{7, 8, 9}));
    EXPECT_EQ(login_of("b"), "b@example.org");
    EXPECT_EQ(editor->find_by_login("a").value()->id, second);
    EXPECT_TRUE(editor->removed_accounts().value().empty());
    EXPECT_FALSE(editor->undelete_account(first, {})) << "it is there";
    EXPECT_FALSE(editor->begin_deletion(first, kNoon).value()) << "it is there";
}

TEST_F(EditorTest, LoginsAreFoundAsPeopleTypeThem) {
    ASSERT_TRUE(editor->add_domain(domain("example.org"), {}));
    ASSERT_TRUE(editor->add_domain(domain("example.net"), {}));
    add("you@example.org");
    add("me@example.org");
    add("me@example.net");
    ASSERT_TRUE(editor->add_alias(address("sales@example.org"), {address("you@example.org")}));
    EXPECT_EQ(login_of("you@example.org"), "you@example.org");
    EXPECT_EQ(login_of("YOU@Example.ORG"), "you@example.org");
    EXPECT_EQ(login_of("you"), "you@example.org");
    EXPECT_EQ(login_of("You"), "you@example.org");
    EXPECT_EQ(login_of("me"), "none") << "two of them";
    EXPECT_EQ(login_of("me@example.net"), "me@example.net");
    for (const std::string_view nobody : {"", "yo", "you2", "@", "you@", "@example.org", "sales@example.org",
                                          "sales", "you+x@example.org", "\xff"}) {
        EXPECT_EQ(login_of(nobody), "none") << nobody;
    }
}

TEST_F(EditorTest, RefusesWhatWouldNotWorkAndSaysWhy) {
    ASSERT_TRUE(editor->add_domain(domain("example.org"), {}));
    add("you@example.org");
    const auto reason = [](const auto& result) {
        return result ? std::string("accepted") : result.error().what;
    };
    EXPECT_EQ(reason(editor->add_domain(domain("example.org"), {})), "domain example.org exists already");
    EXPECT_NE(
        reason(editor->add_account({address("x@example.net"), "", {}, {}})).find("mailstead domain add"),
        std::string::npos);
    EXPECT_EQ(reason(editor->add_account({address("YOU@example.org"), "", {}, {}})),
              "YOU@example.org is an account already");
    EXPECT_EQ(reason(editor->add_alias(address("you@example.org"), {address("a@example.net")})),
              "you@example.org is an account already");
    EXPECT_NE(reason(editor->add_alias(address("x@example.org"), {})), "accepted");
    EXPECT_EQ(reason(editor->add_alias(address("x@example.org"), {address("typo@example.org")})),
              "x@example.org would lead to no one");
    EXPECT_NE(reason(editor->add_alias(address("x@example.org"), {address("x@example.org")})), "accepted");
    EXPECT_FALSE(std::holds_alternative<Targets>(editor->resolve(address("x@example.org")).value()))
        << "refused means undone";
    EXPECT_NE(reason(editor->remove_domain(domain("example.org"))).find("still has accounts"),
              std::string::npos);
    EXPECT_NE(reason(editor->set_catch_all(domain("example.org"), address("typo@example.org"))), "accepted");
    EXPECT_NE(reason(editor->add_domain(domain("b.example"), domain("missing.example"))), "accepted");
}

TEST_F(EditorTest, AliasesGrowListAndShrink) {
    ASSERT_TRUE(editor->add_domain(domain("example.org"), {}));
    const AccountId you = add("you@example.org");
    ASSERT_TRUE(editor->add_alias(address("Sales@example.org"),
                                  {address("you@example.org"), address("b@example.net")}));
    ASSERT_TRUE(editor->add_alias(address("\"odd \\\"one\"@example.org"), {address("you@example.org")}));
    auto aliases = editor->aliases().value();
    ASSERT_EQ(aliases.size(), 2U);
    EXPECT_EQ(aliases[0].address.to_string(), "\"odd \\\"one\"@example.org");
    EXPECT_EQ(aliases[1].address.to_string(), "sales@example.org");
    EXPECT_EQ(aliases[1].targets.size(), 2U);
    EXPECT_EQ(editor->remove_account(you, {}).value(),
              (std::vector<std::string>{"alias \"odd \\\"one\"@example.org", "alias sales@example.org"}));
    EXPECT_TRUE(editor->remove_alias(address("sales@example.org"), {address("YOU@example.org")}).value());
    EXPECT_FALSE(editor->remove_alias(address("sales@example.org"), {address("you@example.org")}).value());
    EXPECT_TRUE(editor->remove_alias(address("sales@example.org"), {}).value());
    EXPECT_FALSE(editor->remove_alias(address("sales@example.org"), {}).value());
    EXPECT_EQ(editor->aliases().value().size(), 1U);
}

TEST_F(EditorTest, PeopleMaySendAsWhatLeadsToThem) {
    ASSERT_TRUE(editor->add_domain(domain("example.org"), {}));
    ASSERT_TRUE(editor->add_domain(domain("also.example"), domain("example.org")));
    const AccountId you = add("you@example.org");
    const AccountId me = add("me@example.org");
    ASSERT_TRUE(editor->add_alias(address("sales@example.org"),
                                  {address("you@example.org"), address("x@example.net")}));
    const auto may = [&](AccountId id, const std::string& from) {
        return editor->may_send_as(id, address(from)).value();
    };
    EXPECT_TRUE(may(you, "You@example.org"));
    EXPECT_TRUE(may(you, "you+shop@example.org"));
    EXPECT_TRUE(may(you, "you@also.example"));
    EXPECT_TRUE(may(you, "sales@example.org"));
    EXPECT_FALSE(may(me, "sales@example.org"));
    EXPECT_FALSE(may(you, "me@example.org"));
    EXPECT_FALSE(may(you, "anything@example.org"));
    EXPECT_FALSE(may(you, "you@example.net"));
    ASSERT_TRUE(editor->set_catch_all(domain("example.org"), address("me@example.org")));
    EXPECT_TRUE(may(me, "anything@example.org"));
    EXPECT_FALSE(may(me, "you@example.org"));
}

TEST_F(EditorTest, PostmasterWithoutDomainIsTheFirstAccounts) {
    EXPECT_TRUE(std::holds_alternative<UnknownUser>(editor->resolve_postmaster().value()));
    ASSERT_TRUE(editor->add_domain(domain("example.org"), {}));
    const AccountId you = add("you@example.org");
    add("me@example.org");
    const auto resolution = editor->resolve_postmaster().value();
    EXPECT_EQ(std::get<Targets>(resolution).local, (std::vector<LocalTarget>{{you, ""}}));
}

TEST_F(EditorTest, DomainsAreListedAndRemoved) {
    ASSERT_TRUE(editor->add_domain(domain("b.example"), {}));
    ASSERT_TRUE(editor->add_domain(domain("a.example"), domain("b.example")));
    EXPECT_FALSE(editor->add_domain(domain("c.example"), domain("a.example")))
        << "another name for another name";
    const auto domains = editor->domains().value();
    ASSERT_EQ(domains.size(), 2U);
    EXPECT_EQ(domains[0].name.ascii(), "a.example");
    EXPECT_EQ(domains[0].alias_of, domain("b.example"));
    EXPECT_FALSE(editor->remove_domain(domain("b.example")));
    EXPECT_TRUE(editor->remove_domain(domain("a.example")));
    EXPECT_TRUE(editor->remove_domain(domain("b.example")));
    EXPECT_FALSE(editor->has_domain(domain("b.example")).value());
    EXPECT_FALSE(editor->remove_domain(domain("b.example")));
}

// Another process reads while this one writes, as a daemon does while the administrator edits.
TEST(DirectoryAcrossProcesses, ReadersSeeAnEditWithTheirNextCall) {
    mailstead::testing::TemporaryFolder folder;
    int to_child[2];
    int to_parent[2];
    ASSERT_EQ(::pipe(to_child), 0);
    ASSERT_EQ(::pipe(to_parent), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        char byte = 0;
        ::close(to_child[1]);
        ::close(to_parent[0]);
        if (::read(to_child[0], &byte, 1) != 1) ::_exit(10);
        const auto directory = open_directory(folder.path());
        if (!directory) ::_exit(11);
        if ((*directory)->find_by_login("you").value()) ::_exit(12);
        if (::write(to_parent[1], "x", 1) != 1 || ::read(to_child[0], &byte, 1) != 1) ::_exit(13);
        ::_exit((*directory)->find_by_login("you").value() ? 0 : 14);
    }
    auto editor = edit_directory(folder.path()).value();
    ASSERT_TRUE(editor->add_domain(domain("example.org"), {}));
    char byte = 0;
    ASSERT_EQ(::write(to_child[1], "x", 1), 1);
    ASSERT_EQ(::read(to_parent[0], &byte, 1), 1);
    ASSERT_TRUE(editor->add_account({address("you@example.org"), "", {}, {}}));
    ASSERT_EQ(::write(to_child[1], "x", 1), 1);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    for (const int fd : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) ::close(fd);
}

TEST(DirectoryAcrossProcesses, AReaderNeedsOneThatExists) {
    mailstead::testing::TemporaryFolder folder;
    EXPECT_FALSE(open_directory(folder.path()));
}

}  // namespace
}  // namespace mailstead::directory
