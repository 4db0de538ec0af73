// COPY and MOVE from one account into another.
#pragma once

#include "imapd/session/session.h"

namespace mailstead::imapd::commands {

// Puts copies of `uids` of the selected mailbox into `to`, another account's: all, or none. With `move` they
// are expunged from the selected mailbox once every copy is durable; a crash between leaves both, never none.
// `modseq` of the result is that of the expunge.
net::Task<store::Outcome<store::Copied>> copy_across(Session& session, store::UidSet uids, Place to,
                                                     bool move);

}  // namespace mailstead::imapd::commands
