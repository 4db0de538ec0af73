// Clients of all kinds at once: deliveries to one and several accounts, APPEND, STORE, MOVE, EXPUNGE,
// outbound mail and what becomes of it, shares, the follower, checkpoints. Each thing asked and answered is
// in the books.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <random>
#include <string>

#include "tests/power/books.h"
#include "tests/power/server.h"

namespace mailstead::power {

class Work {
public:
    using Random = std::mt19937_64;

    // `salt` makes the names of this run's messages its own.
    Work(Server& server, Books& books, Figures& figures, Random& random, std::string salt)
        : server_(server), books_(books), figures_(figures), random_(random), salt_(std::move(salt)) {}

    // Asks for `count` things, several at a time, and waits for the answers. Ends early when `is_dead`.
    void run(
        int count, const std::function<bool()>& is_dead = [] { return false; });
    // One delivery, whose answer reaches nobody. Nothing else is under way: its frame is the journal's last.
    void deliver_unanswered();

    // The books as they are now. From any thread, also inside a call of the file layer.
    Books books_now();
    // Runs `look` while nothing is asked and nothing answered.
    void hold_still(const std::function<void(const Books&)>& look);

private:
    void one();
    void deliver();
    void append();
    void store();
    void move();
    void expunge();
    void enqueue();
    void record();
    void share();
    void submit(commit::Transaction transaction, std::function<void(const commit::Outcome&)> answered);
    void wait_until_at_most(int waiting);
    std::string next_token();
    std::shared_ptr<const std::string> message(const std::string& token, std::size_t size);
    std::size_t random_size();
    // A message that is there and of which nothing is asked; nullptr when there is none.
    std::map<Books::LetterKey, Letter>::iterator any_letter();

    Server& server_;
    Books& books_;
    Figures& figures_;
    Random& random_;
    std::string salt_;
    int number_ = 0;
    std::mutex mutex_;  // books_, waiting_
    std::condition_variable answered_;
    int waiting_ = 0;
};

}  // namespace mailstead::power
