// RSET, NOOP, VRFY, EXPN, HELP, QUIT.
#include "common/base/text.h"
#include "smtpd/core/table.h"

namespace mailstead::smtpd {

using smtp::EnhancedCode;

// RFC 5321, 4.1.1.5
Action ServerCore::rset(std::string_view arguments) {
    if (const auto none = smtp::parse_no_arguments(arguments); !none) return refuse(none.error(), {5, 5, 4});
    say(250, EnhancedCode{2, 0, 0}, "OK");
    return end_transaction();
}

// RFC 5321, 4.1.1.9: any argument is ignored.
Action ServerCore::noop(std::string_view) {
    say(250, EnhancedCode{2, 0, 0}, "OK");
    return next_command();
}

// RFC 5321, 3.5.3: the directory is no business of strangers, and 252 says so without lying.
Action ServerCore::vrfy(std::string_view arguments) {
    if (text::trim(arguments).empty()) return refuse(501, EnhancedCode{5, 5, 4}, "VRFY takes a name");
    say(252, EnhancedCode{2, 5, 0}, "Addresses are not verified here, but mail is accepted for delivery");
    return next_command();
}

Action ServerCore::expn(std::string_view) {
    return refuse(502, EnhancedCode{5, 5, 1}, "Lists are not expanded here");
}

// RFC 5321, 4.1.1.8
Action ServerCore::help(std::string_view arguments) {
    smtp::Reply reply(214, EnhancedCode{2, 0, 0}, "Commands (RFC 5321):");
    if (const auto verb = smtp::split_command(text::trim(arguments)).verb) {
        reply.lines = {std::string(row_of(*verb).help)};
    } else {
        for (unsigned i = 0; i <= static_cast<unsigned>(smtp::Verb::quit); ++i) {
            reply.lines.emplace_back(row_of(static_cast<smtp::Verb>(i)).help);
        }
    }
    smtp::write_reply(reply, replies_);
    return next_command();
}

// RFC 5321, 4.1.1.10
Action ServerCore::quit(std::string_view arguments) {
    if (const auto none = smtp::parse_no_arguments(arguments); !none) return refuse(none.error(), {5, 5, 4});
    say(221, EnhancedCode{2, 0, 0}, "Goodbye");
    return Close{};
}

}  // namespace mailstead::smtpd
