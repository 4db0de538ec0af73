// Who may ask for what, and how a role is shown.
#include "common/ipc/roles.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/net/temporary_folder.h"

namespace mailstead::ipc {
namespace {

using net::test::TemporaryFolder;

std::set<MessageType> sent_by(Role role) {
    std::set<MessageType> types;
    for (int type = 0; type < 256; ++type) {
        if (may_send(role, static_cast<MessageType>(type))) types.insert(static_cast<MessageType>(type));
    }
    return types;
}

TEST(Roles, ADaemonThatTalksToStrangersMayDoItsOwnJobAlone) {
    using enum MessageType;
    const auto smtpd = sent_by(Role::smtpd);
    for (const MessageType wanted : {auth_step, auth_cancel, deliver_message, quota_question, ledger_line,
                                     session_poll, session_check, session_result})
        EXPECT_TRUE(smtpd.contains(wanted)) << to_string(wanted);
    const auto imapd = sent_by(Role::imapd);
    for (const MessageType wanted : {auth_step, auth_cancel, apply_change, ledger_line})
        EXPECT_TRUE(imapd.contains(wanted)) << to_string(wanted);
    for (const MessageType forbidden : {account_gone, queue_command, status_question, hold_command,
                                        account_changed, who_question, kick_command, undelete_messages}) {
        EXPECT_FALSE(smtpd.contains(forbidden)) << to_string(forbidden);
        EXPECT_FALSE(imapd.contains(forbidden)) << to_string(forbidden);
    }
    EXPECT_FALSE(smtpd.contains(apply_change));
    EXPECT_FALSE(imapd.contains(deliver_message));
    const auto admin = sent_by(Role::admin);
    EXPECT_FALSE(admin.contains(auth_step)) << "passwords are guessed nowhere but at the front door";
    EXPECT_FALSE(admin.contains(deliver_message));
}

// A new type is an answer, which nobody sends unasked, or has its row.
TEST(Roles, EveryRequestHasARow) {
    const std::set<MessageType> answers = {
        MessageType::hello,          MessageType::auth_answer,    MessageType::deliver_answer,
        MessageType::change_answer,  MessageType::quota_answer,   MessageType::queue_answer,
        MessageType::status_answer,  MessageType::hold_answer,    MessageType::done,
        MessageType::refused,        MessageType::session_orders, MessageType::session_verdicts,
        MessageType::sessions_ended, MessageType::who_answer,     MessageType::undelete_answer};
    for (int number = 0; number < 256; ++number) {
        const auto type = static_cast<MessageType>(number);
        const bool somebody = std::ranges::any_of(kRoles, [&](Role role) { return may_send(role, type); });
        EXPECT_EQ(somebody, is_known(type) && !answers.contains(type)) << number << ' ' << to_string(type);
    }
}

TEST(Roles, LoginsAreAskedAboutByTheDaemonThatServesThem) {
    EXPECT_TRUE(may_speak_for(Role::smtpd, Service::smtp));
    EXPECT_TRUE(may_speak_for(Role::smtpd, Service::submission));
    EXPECT_TRUE(may_speak_for(Role::imapd, Service::imap));
    EXPECT_TRUE(may_speak_for(Role::imapd, Service::pop3));
    EXPECT_FALSE(may_speak_for(Role::smtpd, Service::imap));
    EXPECT_FALSE(may_speak_for(Role::imapd, Service::submission));
    EXPECT_FALSE(may_speak_for(Role::smtpd, Service::admin));
}

class RoleKey : public ::testing::Test {
protected:
    RoleKey() { std::filesystem::create_directories(run_folder(folder.path(), Role::smtpd)); }
    TemporaryFolder folder;
    std::filesystem::path file = key_path(folder.path(), Role::smtpd);
};

TEST_F(RoleKey, IsMadeOnceAndPrivate) {
    EXPECT_FALSE(read_key(file));
    const auto made = make_key(folder.path(), Role::smtpd);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->reveal().size(), kKeySize);
    const auto again = make_key(folder.path(), Role::smtpd);
    const auto read = read_key(file);
    ASSERT_TRUE(again && read);
    EXPECT_EQ(made->reveal(), again->reveal());
    EXPECT_EQ(made->reveal(), read->reveal());
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0640U);
}

TEST_F(RoleKey, OneThatAPowerCutLeftEmptyIsMadeAnew) {
    std::ofstream(file) << "";
    const auto nothing = read_key(file);
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().retry, Retry::later_may_help);
    EXPECT_TRUE(make_key(folder.path(), Role::smtpd));
    EXPECT_TRUE(read_key(file));
}

TEST_F(RoleKey, ALinkInItsPlaceIsNotFollowed) {
    std::ofstream(folder.file("elsewhere")) << std::string(kKeySize, 'x');
    std::filesystem::create_symlink(folder.file("elsewhere"), file);
    EXPECT_FALSE(read_key(file));
    EXPECT_FALSE(make_key(folder.path(), Role::smtpd));
}

}  // namespace
}  // namespace mailstead::ipc
