// CAPABILITY, NOOP, LOGOUT, ID, ENABLE, NAMESPACE, IDLE.
#include "common/base/text.h"
#include "common/runtime/log.h"
#include "imapd/commands/commands.h"
#include "imapd/session/client_name.h"

namespace mailstead::imapd::commands {

net::Task<Reply> capability(Session& session, Command&) {
    session.out() += "* ";
    session.capabilities.write_after_login(session.out(), session.backend.append_limit(), session.limits());
    session.out() += "\r\n";
    co_return ok("That is all");
}

net::Task<Reply> noop(Session&, Command&) {
    co_return ok("Nothing done");
}

net::Task<Reply> logout(Session& session, Command&) {
    session.logging_out = true;
    session.out() += "* BYE Good bye\r\n";
    co_return ok("Logged out");
}

// RFC 2971. What the client says of itself is worth a log line and nothing else: behaviour must not depend on
// it.
net::Task<Reply> id(Session& session, Command& command) {
    const auto& fields = std::get<proto::IdParameters>(command.arguments).fields;
    std::string said;
    for (const auto& [name, value] : fields) {
        if (said.size() < 256) said += name.substr(0, 32) + "=" + value.value_or("").substr(0, 64) + " ";
    }
    log::info("imap.id", {{"login", session.login}, {"client", said}});
    session.client = client_name(std::get<proto::IdParameters>(command.arguments));
    session.out() += "* ID (\"name\" \"Mailstead\")\r\n";
    co_return ok("Pleased to meet you");
}

// RFC 5161, 3.1; unknown names are passed over.
net::Task<Reply> enable(Session& session, Command& command) {
    std::string enabled;
    const Capabilities& offered = session.capabilities;
    for (const std::string& name : std::get<proto::Enable>(command.arguments).capabilities) {
        if (name == "CONDSTORE" && offered.has(Capability::condstore)) {
            enabled += " CONDSTORE";
            session.enable_condstore();
        } else if (name == "QRESYNC" && offered.has(Capability::qresync)) {
            enabled += " QRESYNC";
            session.enable_condstore();  // RFC 7162, 3.2.3
            session.enabled.qresync = true;
        } else if (name == "UTF8=ACCEPT" && offered.has(Capability::utf8_accept)) {
            enabled += " UTF8=ACCEPT";
            session.enabled.utf8 = true;
        } else if (name == "UIDONLY" && offered.has(Capability::uid_only)) {
            enabled += " UIDONLY";
            session.enabled.uid_only = true;
        } else if ((name == "METADATA" || name == "METADATA-SERVER") && offered.has(Capability::metadata)) {
            enabled += ' ' + name;
            enable_metadata(session);
        } else if (name == "IMAP4REV2" && offered.has(Capability::imap4rev2)) {
            enabled += " IMAP4rev2";
            session.enabled.rev2 = true;
        }
    }
    session.out() += "* ENABLED" + enabled + "\r\n";
    co_return ok("Enabled");
}

// RFC 9051, 6.3.10: one personal namespace, and the mailboxes that others share.
net::Task<Reply> name_space(Session& session, Command&) {
    session.out() += "* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) NIL\r\n";
    co_return ok("That is all");
}

net::Task<Reply> idle(Session& session, Command&) {
    co_return co_await session.idle();
}

net::Task<Reply> only_before_login(Session&, Command&) {
    co_return bad("You are logged in already");
}

}  // namespace mailstead::imapd::commands
