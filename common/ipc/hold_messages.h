// What a backup asks of deliver: a state to copy, and that nothing goes meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/ipc/messages.h"

namespace mailstead::ipc {

struct HoldAnswer {
    static constexpr MessageType kType = MessageType::hold_answer;
    std::string error;        // empty: none
    std::uint64_t batch = 0;  // begin: the batch that was the last one
    std::string meta_pages;   // pages: empty when the environment was not opened since
    std::string encode() const;
    static Parsed<HoldAnswer> decode(std::string_view bytes);
};

// A hold belongs to the connection that began it and ends with it, or when the connection is silent for too
// long.
struct HoldCommand {
    static constexpr MessageType kType = MessageType::hold_command;
    using Answer = HoldAnswer;
    enum class Op : std::uint8_t {
        begin,  // with two descriptors: empty files that take copies of the directory and the credentials
        pages,  // of `environment`
        unpin,  // the environments are copied
        still_here,  // the copying goes on
        end,
    };
    Op op = Op::begin;
    std::string environment;
    std::string encode() const;
    static Parsed<HoldCommand> decode(std::string_view bytes);
};
inline constexpr Seconds kHoldPatience = std::chrono::minutes(2);  // of silence

struct UndeleteAnswer {
    static constexpr MessageType kType = MessageType::undelete_answer;
    std::string error;           // empty: none
    std::uint64_t messages = 0;  // given back
    std::uint64_t missing = 0;   // kept no more, or not readable
    std::string encode() const;
    static Parsed<UndeleteAnswer> decode(std::string_view bytes);
};

// Gives back what an account expunged, so many messages at most that an answer comes soon: to be asked again
// until it gives back none.
struct UndeleteMessages {
    static constexpr MessageType kType = MessageType::undelete_messages;
    using Answer = UndeleteAnswer;
    AccountId account;
    std::string mailbox;  // and those below it; empty: all
    Time since{};         // deleted then or later, and
    Time before{};        // earlier than this
    std::string encode() const;
    static Parsed<UndeleteMessages> decode(std::string_view bytes);
};

}  // namespace mailstead::ipc
