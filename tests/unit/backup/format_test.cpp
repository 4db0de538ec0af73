// An older data folder, a newer program, and the way back.
#include "common/backup/format.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::backup {
namespace {

namespace fs = std::filesystem;

class FormatTest : public ::testing::Test {
protected:
    fs::path data() const { return folder_.path(); }
    void write(const fs::path& name, const std::string& text) const {
        fs::create_directories((data() / name).parent_path());
        std::ofstream(data() / name) << text;
    }
    std::string read(const fs::path& name) const {
        std::ifstream in(data() / name);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    // As the first version left it.
    void first_version() const {
        write("accounts/7/index/data.mdb", "old index");
        write("accounts/7/mail/cur/1.A7B1U1M1.mailstead,S=1:2,S", "m");
        fs::create_directories(data() / "accounts/7/mail/new");
        write("journal/control", "old journal");
        write("queue/data.mdb", "old queue");
        write("spool/queued-1", "waits");
    }

private:
    mailstead::testing::TemporaryFolder folder_;
};

TEST_F(FormatTest, AFreshFolderIsOfThisVersionAndNothingIsCopied) {
    EXPECT_FALSE(format_of(data()).value());
    EXPECT_FALSE(settle_format(data()).value());
    EXPECT_EQ(format_of(data()).value(), kFormat);
    EXPECT_FALSE(settle_format(data()).value());
    EXPECT_FALSE(plan_rollback(data()));
}

TEST_F(FormatTest, AnOlderFolderIsCopiedBeforeItIsTouched) {
    first_version();
    EXPECT_EQ(format_of(data()).value(), 1U);
    EXPECT_EQ(settle_format(data()).value(), 1U);
    EXPECT_EQ(format_of(data()).value(), kFormat);
    EXPECT_EQ(read("before-1/queue/data.mdb"), "old queue");
    EXPECT_EQ(read("before-1/journal/control"), "old journal");
    EXPECT_TRUE(fs::equivalent(data() / "before-1/accounts/7/mail/cur/1.A7B1U1M1.mailstead,S=1:2,S",
                               data() / "accounts/7/mail/cur/1.A7B1U1M1.mailstead,S=1:2,S"));
    write("queue/data.mdb", "new queue");
    EXPECT_EQ(read("before-1/queue/data.mdb"), "old queue");
}

TEST_F(FormatTest, AnInterruptedCopyBeginsAnew) {
    first_version();
    write("before-1.new/queue/data.mdb", "half");
    EXPECT_EQ(settle_format(data()).value(), 1U);
    EXPECT_EQ(read("before-1/queue/data.mdb"), "old queue");
    EXPECT_FALSE(fs::exists(data() / "before-1.new"));
}

TEST_F(FormatTest, ANewerFolderIsRefusedWithASentence) {
    write("format", "format 99\n");
    const auto refused = settle_format(data());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().retry, Retry::is_useless);
    EXPECT_NE(refused.error().what.find("is of format 99, and this program knows formats up to"),
              std::string::npos)
        << refused.error().what;
    write("format", "what");
    EXPECT_FALSE(settle_format(data()));
}

TEST_F(FormatTest, RollbackGivesBackWhatWasThereAndKeepsNewMail) {
    first_version();
    ASSERT_TRUE(settle_format(data()));
    write("accounts/7/index/data.mdb", "new index");
    fs::rename(data() / "accounts/7/mail/cur/1.A7B1U1M1.mailstead,S=1:2,S",
               data() / "accounts/7/mail/cur/1.A7B1U1M1.mailstead,S=1:2,FS");
    write("accounts/7/mail/cur/2.A7B1U2M2.mailstead,S=3:2,", "new");
    write("accounts/7/mail/.Later/cur/3.A7B2U1M3.mailstead,S=5:2,", "later");
    const Rollback plan = plan_rollback(data()).value();
    EXPECT_EQ(plan.to, 1U);
    EXPECT_EQ(plan.new_messages, 2U);
    EXPECT_EQ(plan.new_queued, 0U);
    ASSERT_TRUE(roll_back(data(), plan));
    EXPECT_EQ(read("accounts/7/index/data.mdb"), "old index");
    EXPECT_EQ(read("accounts/7/mail/cur/1.A7B1U1M1.mailstead,S=1:2,S"), "m");
    EXPECT_EQ(read("accounts/7/mail/new/2.A7B1U2M2.mailstead,S=3.since"), "new");
    EXPECT_EQ(read("accounts/7/mail/new/3.A7B2U1M3.mailstead,S=5.since"), "later");
    EXPECT_EQ(format_of(data()).value(), 1U);
    EXPECT_FALSE(plan_rollback(data())) << "it is where it was";
    // The next upgrade, and back again.
    EXPECT_EQ(settle_format(data()).value(), 1U);
    EXPECT_TRUE(roll_back(data(), plan_rollback(data()).value()));
}

TEST_F(FormatTest, ARollbackThatWasInterruptedAnywhereIsFinished) {
    first_version();
    ASSERT_TRUE(settle_format(data()));
    write("accounts/7/mail/cur/2.A7B1U2M2.mailstead,S=3:2,", "new");
    write("queue/data.mdb", "new queue");
    // Killed between the two renames of accounts, and before the queue's.
    fs::create_directories(data() / ("undone-" + std::to_string(kFormat)));
    fs::rename(data() / "accounts", data() / ("undone-" + std::to_string(kFormat)) / "accounts");
    ASSERT_TRUE(roll_back(data(), {kFormat, 1, 0, 0}));
    EXPECT_EQ(read("queue/data.mdb"), "old queue");
    EXPECT_EQ(read("accounts/7/mail/new/2.A7B1U2M2.mailstead,S=3.since"), "new");
    EXPECT_EQ(format_of(data()).value(), 1U);
}

TEST_F(FormatTest, AFileThatRecoveryWroteAnewIsNoNewMessage) {
    first_version();
    ASSERT_TRUE(settle_format(data()));
    fs::remove(data() / "accounts/7/mail/cur/1.A7B1U1M1.mailstead,S=1:2,S");
    write("accounts/7/mail/cur/1.A7B1U1M1.mailstead,S=1:2,FS", "m");
    EXPECT_EQ(plan_rollback(data()).value().new_messages, 0U);
}

TEST_F(FormatTest, MessagesOnTheirWayOutAreCounted) {
    first_version();
    ASSERT_TRUE(settle_format(data()));
    write("spool/queued-2", "new");
    EXPECT_EQ(plan_rollback(data()).value().new_queued, 1U);
}

}  // namespace
}  // namespace mailstead::backup
