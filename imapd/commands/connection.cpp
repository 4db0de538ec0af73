// COMPRESS (RFC 4978), UNAUTHENTICATE (RFC 8437).
#include "imapd/commands/commands.h"

namespace mailstead::imapd::commands {

// RFC 4978, 3. TLS never compresses here, so that nothing else can be active.
net::Task<Reply> compress(Session& session, Command& command) {
    if (std::get<proto::Compress>(command.arguments).algorithm != "DEFLATE") co_return bad("DEFLATE alone");
    if (session.connection.is_compressed()) co_return bad("Compression is active already");
    session.compression = Compression::create();
    if (!session.compression) co_return no("No memory for it now", "UNAVAILABLE");
    co_return ok("Compressed from here on");
}

// RFC 8437, 3. All state but TLS goes with the session.
net::Task<Reply> unauthenticate(Session& session, Command&) {
    session.unselect();
    session.unauthenticating = true;
    co_return ok("Who comes next?");
}

}  // namespace mailstead::imapd::commands
