// Every command: in which states it is legal, and who executes it.
#pragma once

#include <optional>
#include <string_view>

#include "common/net/task.h"
#include "imapd/proto/command.h"

namespace mailstead::imapd {

class Session;
struct Reply;

enum class Legal : std::uint8_t {
    logged_in,  // authenticated or selected
    selected,
    writable  // selected, not by EXAMINE
};

struct CommandRow {
    proto::Verb verb;
    Legal legal;
    net::Task<Reply> (*execute)(Session& session, proto::Command& command);
};

const CommandRow& row_of(proto::Verb verb);

// Why the command cannot be taken here: the wrong state, or a capability hidden from this client. nullopt: it
// can.
std::optional<std::string_view> reason_to_refuse(const Session& session, const CommandRow& row,
                                                 const proto::Command& command);

// RFC 9051, 7.5.1: whether sequence numbers may shift before this command's tagged answer.
bool allows_expunges(const proto::Command& command);
// Whether the command itself takes messages out of the mailbox.
bool expunges(const proto::Command& command);
// RFC 9586, 3: whether sequence numbers are in it, or in its answer.
bool uses_numbers(const proto::Command& command);

}  // namespace mailstead::imapd
