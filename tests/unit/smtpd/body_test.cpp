#include "smtpd/session/body.h"

#include <atomic>
#include <filesystem>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "smtpd/session/intake.h"

namespace mailstead::smtpd {
namespace {

class SmtpBody : public testing::Test {
protected:
    SmtpBody() : spool_(open_spool()) {}
    static Spool open_spool() {
        auto spool = Spool::open(std::filesystem::temp_directory_path(), 0);
        EXPECT_TRUE(spool);
        return *std::move(spool);
    }
    static std::string content(const FileDescriptor& file) {
        std::string out(4u << 20, '\0');
        const ssize_t size = ::pread(file.get(), out.data(), out.size(), 0);
        out.resize(static_cast<std::size_t>(size));
        return out;
    }
    std::string write(const std::string& message, std::size_t piece, std::string_view front,
                      std::vector<Cut> cuts = {}) {
        Body body(spool_, budget_);
        EXPECT_TRUE(body.open(std::nullopt));
        std::string bodies;
        for (std::size_t at = 0; at < message.size(); at += piece) {
            body.memory().append(message, at, piece);
            body.look();
            bodies += body.take_body();
            EXPECT_TRUE(body.settle());
        }
        body.end();
        EXPECT_EQ(body.size(), message.size());
        EXPECT_EQ(std::string(body.header()) + bodies, message);
        headerless_ = body.headerless();
        auto file = body.write(front, cuts);
        EXPECT_TRUE(file);
        return content(*file);
    }

    Spool spool_;
    MemoryBudget budget_{8u << 20};
    bool headerless_ = false;
};

TEST_F(SmtpBody, WritesFrontHeaderWithoutCutsAndBody) {
    const std::string message = "A: 1\r\nB: 2\r\nC: 3\r\n\r\nbody\r\n";
    for (std::size_t piece = 1; piece <= message.size(); ++piece) {
        EXPECT_EQ(write(message, piece, "T: x\r\n", {{6, 6}}), "T: x\r\nA: 1\r\nC: 3\r\n\r\nbody\r\n")
            << piece;
        EXPECT_FALSE(headerless_);
    }
}

TEST_F(SmtpBody, FindsTheEndOfOddHeaders) {
    for (std::size_t piece = 1; piece < 8; ++piece) {
        EXPECT_EQ(write("\r\nbody\r\n", piece, ""), "\r\nbody\r\n");
        EXPECT_FALSE(headerless_);
        EXPECT_EQ(write("only a line\r\n", piece, ""), "only a line\r\n");
        EXPECT_TRUE(headerless_);
        EXPECT_EQ(write("A: 1\r\n", piece, ""), "A: 1\r\n");
        EXPECT_FALSE(headerless_);
        EXPECT_EQ(write("", piece, "x"), "x");
    }
}

TEST_F(SmtpBody, LargeMessagesGoToDiskUnchanged) {
    std::string message = "A: 1\r\nB: 2\r\n\r\n";
    for (int i = 0; i < 100'000; ++i) message += "line " + std::to_string(i) + "\r\n";
    ASSERT_GT(message.size(), 4 * Body::kSpillAt);
    EXPECT_EQ(write(message, 60'000, "T: x\r\n", {{0, 6}}), "T: x\r\n" + message.substr(6));
}

TEST_F(SmtpBody, SpillsEarlyWhenMemoryIsShortAndGivesItBack) {
    MemoryBudget small(Body::kFirstShare);
    const std::string message = "A: 1\r\n\r\n" + std::string(100'000, 'x') + "\r\n";
    {
        Body body(spool_, small);
        ASSERT_TRUE(body.open(std::nullopt));
        Body other(spool_, small);
        EXPECT_FALSE(other.open(std::nullopt));
        for (std::size_t at = 0; at < message.size(); at += 10'000) {
            body.memory().append(message, at, 10'000);
            body.look();
            body.take_body();
            ASSERT_TRUE(body.settle());
        }
        body.end();
        EXPECT_EQ(content(*body.write("", {})), message);
    }
    Body next(spool_, small);
    EXPECT_TRUE(next.open(std::nullopt));
}

TEST_F(SmtpBody, IntakeKeepsNothingAfterAFault) {
    Intake intake(spool_, budget_, nullptr);
    ASSERT_TRUE(intake.open(std::nullopt));
    const smtp::BodyLimits limits{.message_octets = 100, .header_octets = 50};
    const std::string line(1000, 'x');
    for (int i = 0; i < 100; ++i) intake.data(line, limits);
    EXPECT_EQ(intake.data("\r\n.\r\nNEXT", limits), 5u);
    EXPECT_TRUE(intake.data_done());
    EXPECT_EQ(intake.fault(), smtp::BodyFault::header_too_large);
    EXPECT_LT(intake.body().size(), 1000u);
}

// Whoever asks while another is still asking the file system for the first time.
TEST(SmtpSpool, HasRoomForAllThatAskAtOnceRightAfterTheStart) {
    for (int round = 0; round < 500; ++round) {
        const auto spool = Spool::open(std::filesystem::temp_directory_path(), 0);
        ASSERT_TRUE(spool);
        std::atomic<int> ready{0};
        const auto ask = [&] {
            ++ready;
            while (ready < 2) std::this_thread::yield();
            return spool->has_room(1);
        };
        bool other = false;
        std::thread sender([&] { other = ask(); });
        const bool mine = ask();
        sender.join();
        ASSERT_TRUE(mine && other);
    }
}

TEST_F(SmtpBody, TheSpoolRefusesWhenTheDiskIsNearlyFull) {
    auto greedy = Spool::open(std::filesystem::temp_directory_path(), std::uint64_t{1} << 62);
    ASSERT_TRUE(greedy);
    EXPECT_FALSE(greedy->has_room(0));
    EXPECT_TRUE(spool_.has_room(1));
}

}  // namespace
}  // namespace mailstead::smtpd
