// What is due, and how much of it may run at once. Pure: time comes as an argument.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/queue/entry.h"

namespace mailstead::deliver {

// The waiting recipients of one entry that share a destination: one transaction with its server.
struct Job {
    QueueId id;
    std::string destination;
    friend auto operator<=>(const Job&, const Job&) = default;
};

class Schedule {
public:
    struct Limits {
        std::size_t jobs = 100;                 // running at once
        std::size_t jobs_per_destination = 10;  // of those, to one destination
    };
    explicit Schedule(Limits limits) : limits_(limits) {}

    // Takes an entry as it is now: new, changed, or read at start. A job of it that runs goes on.
    void update(const queue::QueueEntry& entry);
    // The entry is gone.
    void erase(QueueId id);

    // Jobs to start at `now`, in the order in which they became due; they count as running until finished().
    std::vector<Job> take_due(Time now);
    // The attempt is over and its outcome was recorded (update() has been or will be called).
    void finished(const Job& job);

    // When take_due() may have something that it does not have now; nullopt: only after finished() or
    // update().
    std::optional<Time> next_due() const;

    std::size_t waiting() const { return due_at_.size(); }
    std::size_t running() const { return running_.size(); }

private:
    void withdraw(const Job& job);

    Limits limits_;
    std::set<std::pair<Time, Job>> due_;
    std::map<Job, Time> due_at_;
    std::set<Job> running_;
    std::unordered_map<std::string, std::size_t> running_to_;
};

}  // namespace mailstead::deliver
