// BINARY and BINARY.SIZE (RFC 3516, 4.2): parts without their transfer encoding, in bounded memory.
#pragma once

#include "common/net/task.h"
#include "imapd/commands/content.h"

namespace mailstead::imapd::commands {

// Sends the value of a Content::Kind::decoded: literal head and all, or the number. A large part is decoded
// twice, once for its size and once to send it, instead of being held. False when the client is gone;
// `unknown_encoding` is set when nobody knows how to decode it.
net::Task<bool> send_decoded(Session& session, const Content& content, bool& unknown_encoding);

}  // namespace mailstead::imapd::commands
