// Where messages that do not fit into memory lie while they arrive, and where the final bytes are written for
// deliver.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>

#include "common/base/file_descriptor.h"
#include "common/base/result.h"

namespace mailstead::smtpd {

// An errno value.
struct SpoolError {
    SpoolError() = default;
    explicit SpoolError(int number) : error_number(number) {}
    int error_number = 0;
    bool disk_full() const;
};

// The folder data/spool. Thread-safe.
class Spool {
public:
    // `min_free`: octets that must stay free on the disk.
    static Result<Spool> open(const std::filesystem::path& folder, std::uint64_t min_free);

    // A file without a name: it vanishes with its last descriptor, whatever happens to this process.
    Result<FileDescriptor, SpoolError> create() const;
    // The same in memory.
    static Result<FileDescriptor, SpoolError> create_in_memory();
    // Whether a message of `octets` leaves enough room. Asks the file system at most once a second.
    bool has_room(std::uint64_t octets) const;

    Spool(Spool&& other) noexcept;

private:
    Spool(FileDescriptor folder, std::uint64_t min_free) : folder_(std::move(folder)), min_free_(min_free) {}
    bool measure() const;
    FileDescriptor folder_;
    std::uint64_t min_free_;
    mutable std::atomic<std::int64_t> asked_at_{-1};  // seconds of the steady clock
    mutable std::atomic<std::uint64_t> free_{0};
};

// Memory that all messages in this process may take together. Thread-safe.
class MemoryBudget {
public:
    explicit MemoryBudget(std::uint64_t octets) : left_(static_cast<std::int64_t>(octets)) {}
    bool try_take(std::uint64_t octets);
    void give_back(std::uint64_t octets) {
        left_.fetch_add(static_cast<std::int64_t>(octets), std::memory_order_relaxed);
    }

private:
    std::atomic<std::int64_t> left_;
};

// What one message has taken; given back with it.
class MemoryShare {
public:
    explicit MemoryShare(MemoryBudget& budget) : budget_(budget) {}
    ~MemoryShare() { budget_.give_back(taken_); }
    MemoryShare(const MemoryShare&) = delete;
    MemoryShare& operator=(const MemoryShare&) = delete;
    // False: the budget is spent, and nothing has changed. Never shrinks.
    bool grow_to(std::uint64_t octets);

private:
    MemoryBudget& budget_;
    std::uint64_t taken_ = 0;
};

}  // namespace mailstead::smtpd
