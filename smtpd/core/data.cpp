// DATA and BDAT.
#include <limits>

#include "smtpd/core/server_core.h"

namespace mailstead::smtpd {

using smtp::EnhancedCode;

// RFC 5321, 4.1.1.4
Action ServerCore::data(std::string_view arguments) {
    if (const auto none = smtp::parse_no_arguments(arguments); !none) return refuse(none.error(), {5, 5, 4});
    using_bdat_ = false;
    return OpenBody{transaction_.mail.size};
}

Action ServerCore::on_room(Room room) {
    if (room == Room::enough) {
        body_open_ = true;
        if (using_bdat_) return read_chunk(true);
        say(354, "Send the message, end with a dot on a line of its own");
        return ReadBody{.limits = profile_.limits.body,
                        .timeout = profile_.limits.data_timeout,
                        .total = profile_.limits.message_timeout};
    }
    smtp::Reply reply(452, EnhancedCode{4, 3, 1}, "The disk is full, try again later");
    if (room == Room::memory_full) reply = {452, EnhancedCode{4, 3, 1}, "The server is busy, try again soon"};
    if (using_bdat_) {
        chunk_reply_ = std::move(reply);
        return read_chunk(false);
    }
    smtp::write_reply(reply, replies_);
    return end_transaction();
}

Action ServerCore::on_body(const BodyOutcome& outcome) {
    if (outcome.fault || outcome.disk_full) return refuse_body(outcome);
    return Deliver{};
}

// The message was read to its real end, so the session goes on in step.
Action ServerCore::refuse_body(const BodyOutcome& outcome) {
    if (!outcome.fault) {
        say(452, EnhancedCode{4, 3, 1}, "The disk is full, try again later");
        return end_transaction();
    }
    switch (*outcome.fault) {
        case smtp::BodyFault::bare_line_ending:
            say(550, EnhancedCode{5, 6, 0},
                "The message contains a CR or LF that is not part of a CRLF (RFC 5321, 2.3.8)");
            break;
        case smtp::BodyFault::too_large:
            say(552, EnhancedCode{5, 3, 4},
                "The message is larger than " + std::to_string(profile_.limits.body.message_octets) +
                    " octets");
            break;
        case smtp::BodyFault::header_too_large:
            say(552, EnhancedCode{5, 3, 4},
                "The header of the message is larger than " +
                    std::to_string(profile_.limits.body.header_octets) + " octets");
            break;
    }
    return end_transaction();
}

Action ServerCore::on_delivered(const smtp::Reply& reply) {
    smtp::write_reply(reply, replies_);
    return end_transaction();
}

// RFC 3030, 2. Whatever the answer, the octets follow the command, and are read.
Action ServerCore::bdat(std::string_view arguments) {
    const auto chunk = smtp::parse_bdat(arguments);
    if (!chunk) {
        // Nobody knows how many octets follow.
        say(501, EnhancedCode{5, 5, 4}, chunk.error().why.what);
        return Close{};
    }
    chunk_ = *chunk;
    const bool first = phase_ == Phase::recipients;
    if (!first && phase_ != Phase::chunks) {
        ++errors_;
        chunk_reply_ = smtp::Reply(503, EnhancedCode{5, 5, 1}, "Say MAIL and RCPT first");
        if (phase_ == Phase::mail && refused_recipients_in_message_ > 0) {
            chunk_reply_ = smtp::Reply(554, EnhancedCode{5, 5, 1}, "No valid recipients");
        }
        return read_chunk(false);
    }
    if (!first) return read_chunk(true);
    using_bdat_ = true;
    phase_ = Phase::chunks;
    return OpenBody{transaction_.mail.size ? *transaction_.mail.size : chunk_.octets};
}

Action ServerCore::read_chunk(bool keep) {
    // Reading what is not wanted keeps us in step, but not for ever.
    const std::uint64_t limit = profile_.limits.body.message_octets;
    if (chunk_.octets > limit && chunk_.octets - limit > limit) {
        return give_up(552, EnhancedCode{5, 3, 4}, "The chunk is far too large, closing");
    }
    return ReadChunk{.limits = profile_.limits.body,
                     .octets = chunk_.octets,
                     .last = chunk_.last,
                     .keep = keep,
                     .timeout = profile_.limits.data_timeout,
                     .total = profile_.limits.message_timeout};
}

Action ServerCore::on_chunk(const BodyOutcome& outcome) {
    if (chunk_reply_) {
        smtp::write_reply(*chunk_reply_, replies_);
        chunk_reply_.reset();
        if (errors_ >= profile_.limits.errors) return give_up(421, EnhancedCode{4, 7, 0}, "Too many errors");
        // RFC 3030, 2: the transaction has failed, and with it the chunks that follow.
        return phase_ == Phase::chunks ? end_transaction() : next_command();
    }
    if (outcome.fault || outcome.disk_full) return refuse_body(outcome);
    if (chunk_.last) return Deliver{};
    // A message may come in any number of chunks, but not in empty ones without end.
    if (chunk_.octets == 0 && ++errors_ >= profile_.limits.errors) {
        return give_up(421, EnhancedCode{4, 7, 0}, "Too many empty chunks");
    }
    say(250, EnhancedCode{2, 0, 0}, std::to_string(chunk_.octets) + " octets received");
    return next_command();
}

}  // namespace mailstead::smtpd
