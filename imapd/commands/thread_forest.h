// Threads out of messages (RFC 5256, 3; draft-ietf-morg-inthread, 4, for REFS). Pure; time and memory linear
// but for sorting, whatever the messages refer to, and nothing recurses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/uid_set.h"
#include "imapd/proto/search_options.h"

namespace mailstead::imapd::commands {

// What threading knows of the messages, in mailbox order.
class ThreadInput {
public:
    struct Message {
        std::uint32_t uid = 0;
        std::int64_t sent = 0;     // seconds
        std::int64_t arrival = 0;  // seconds
        std::uint64_t id = 0;      // hash of the message id; 0: none
        bool is_reply = false;     // or forward, by its subject
    };
    void reserve(std::size_t messages);
    // `subject` is the base subject, folded; `references` are hashes, the parent last.
    void add(const Message& message, std::string_view subject, const std::vector<std::uint64_t>& references);
    void replace_subject(std::uint32_t n, std::string_view subject);

    std::size_t size() const { return messages_.size(); }
    const Message& message(std::uint32_t n) const { return messages_[n]; }
    std::string_view subject(std::uint32_t n) const {
        return std::string_view(subjects_).substr(places_[n].offset, places_[n].size);
    }
    // The references of message `n` lie between these.
    const std::uint64_t* begin_references(std::uint32_t n) const { return references_.data() + ends_[n]; }
    const std::uint64_t* end_references(std::uint32_t n) const { return references_.data() + ends_[n + 1]; }

private:
    struct Place {
        std::uint64_t offset;
        std::uint32_t size;
    };
    std::vector<Message> messages_;
    std::vector<Place> places_;
    std::string subjects_;
    std::vector<std::uint64_t> references_;
    std::vector<std::size_t> ends_{0};
};

// Trees of messages. Nodes below message_count() are messages, the others stand for messages that are not
// there and are found at the top alone.
class ThreadForest {
public:
    static ThreadForest build(const ThreadInput& input, proto::ThreadAlgorithm algorithm);

    // `* THREAD (2)(3 6 (4 23)(44 7 96))`; numbers are those of `messages`, or UIDs where it is null.
    void write(std::string& out, const store::UidRuns* messages) const;

private:
    friend class ForestBuilder;
    struct Children {
        const std::uint32_t* begin;
        const std::uint32_t* end;
    };
    Children children(std::uint32_t node) const {
        return {children_.data() + first_child_[node], children_.data() + first_child_[node + 1]};
    }

    std::vector<std::uint32_t> uids_;         // of messages
    std::vector<std::uint32_t> roots_;        // in order
    std::vector<std::uint32_t> first_child_;  // per node: where its children begin
    std::vector<std::uint32_t> children_;     // in order
};

}  // namespace mailstead::imapd::commands
