#include "deliver/queue/schedule.h"

#include <algorithm>

namespace mailstead::deliver {

void Schedule::withdraw(const Job& job) {
    const auto at = due_at_.find(job);
    if (at == due_at_.end()) return;
    due_.erase({at->second, job});
    due_at_.erase(at);
}

void Schedule::update(const queue::QueueEntry& entry) {
    erase(entry.id);
    if (entry.held) return;
    for (const auto& each : entry.recipients) {
        if (queue::is_final(each.progress.state)) continue;
        Job job{entry.id, queue::destination_of(each.recipient)};
        const auto known = due_at_.find(job);
        if (known != due_at_.end() && known->second <= each.progress.next_attempt) continue;
        withdraw(job);
        due_.emplace(each.progress.next_attempt, job);
        due_at_.emplace(std::move(job), each.progress.next_attempt);
    }
}

void Schedule::erase(QueueId id) {
    for (auto at = due_at_.lower_bound(Job{id, {}}); at != due_at_.end() && at->first.id == id;) {
        due_.erase({at->second, at->first});
        at = due_at_.erase(at);
    }
}

std::vector<Job> Schedule::take_due(Time now) {
    std::vector<Job> jobs;
    for (auto at = due_.begin(); at != due_.end() && at->first <= now && running_.size() < limits_.jobs;) {
        const Job job = at->second;
        ++at;
        if (running_.contains(job) || running_to_[job.destination] >= limits_.jobs_per_destination) continue;
        withdraw(job);
        running_.insert(job);
        ++running_to_[job.destination];
        jobs.push_back(job);
    }
    return jobs;
}

void Schedule::finished(const Job& job) {
    if (running_.erase(job) == 0) return;
    const auto count = running_to_.find(job.destination);
    if (--count->second == 0) running_to_.erase(count);
}

std::optional<Time> Schedule::next_due() const {
    if (running_.size() >= limits_.jobs) return std::nullopt;
    for (const auto& [time, job] : due_) {
        const auto to = running_to_.find(job.destination);
        const bool crowded = to != running_to_.end() && to->second >= limits_.jobs_per_destination;
        if (!crowded && !running_.contains(job)) return time;
    }
    return std::nullopt;
}

}  // namespace mailstead::deliver
