// The messages of APPEND and REPLACE, put together in files as their parts come (RFC 4469, 3).
#pragma once

#include <optional>

#include "common/net/task.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {

// so_far: everything before the literal in hand, which is the last of `append`; its own bytes go to
// intake.files.back() next. whole: the command has come to its end.
enum class Extent : std::uint8_t { so_far, whole };

// Brings `intake` up to date with `append`: opens files, copies what URLs name. An answer when the command
// must be refused: BADURL, TOOBIG, no room.
net::Task<std::optional<Reply>> compose(Session& session, Intake& intake, const proto::Append& append,
                                        Extent extent);

}  // namespace mailstead::imapd::commands
