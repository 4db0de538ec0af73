// `mailstead queue`: listings straight from the queue's database, changes through deliver, its only writer.
#include "admin/deliver_link.h"
#include "admin/output.h"
#include "admin/workspace.h"
#include "common/base/text.h"
#include "common/queue/reader.h"

namespace mailstead::admin {
namespace {

using queue::QueueEntry;
using queue::RecipientState;

std::string_view to_string(RecipientState state) {
    switch (state) {
        case RecipientState::waiting:
            return "waiting";
        case RecipientState::delivered:
            return "delivered";
        case RecipientState::failed:
            return "failed";
        case RecipientState::expired:
            return "expired";
        case RecipientState::removed:
            return "removed";
    }
    return {};
}

Outcome<std::unique_ptr<queue::QueueReader>> open_queue(const settings::Settings& settings) {
    auto reader = queue::QueueReader::open(settings.data_dir);
    if (!reader && reader.error().fault == Fault::damaged)
        return Failure(EX_TEMPFAIL, "the queue is damaged (" + reader.error().what +
                                        "): deliver makes it anew within seconds, while it runs");
    if (!reader)
        return Failure(EX_UNAVAILABLE, "the queue cannot be read (" + reader.error().what +
                                           "): it is made when deliver first starts");
    return *std::move(reader);
}

std::vector<std::string> waiting_recipients(const QueueEntry& entry) {
    std::vector<std::string> out;
    for (const queue::QueuedRecipient& recipient : entry.recipients) {
        if (!queue::is_final(recipient.progress.state)) out.push_back(recipient.recipient.address.unicode());
    }
    return out;
}

// The soonest of the waiting recipients' attempts, and the last answer that any of them got.
Cell next_attempt(const QueueEntry& entry) {
    if (entry.held) return std::string("held");
    std::optional<Time> first;
    for (const queue::QueuedRecipient& recipient : entry.recipients) {
        if (queue::is_final(recipient.progress.state)) continue;
        if (!first || recipient.progress.next_attempt < *first) first = recipient.progress.next_attempt;
    }
    return first ? Cell(to_rfc3339(*first)) : Cell();
}
Cell last_reply(const QueueEntry& entry) {
    const queue::Progress* last = nullptr;
    for (const queue::QueuedRecipient& recipient : entry.recipients) {
        const queue::Progress& progress = recipient.progress;
        if (progress.attempts != 0 && (last == nullptr || progress.last_attempt > last->last_attempt))
            last = &progress;
    }
    return last == nullptr ? Cell() : Cell(text::quote_for_log(last->last_reply, 200));
}

std::string sender_of(const QueueEntry& entry) {
    return entry.envelope.reverse_path ? entry.envelope.reverse_path->unicode() : "<>";
}

Outcome<> run_list(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    TRY(reader, open_queue(settings));
    std::vector<std::vector<Cell>> rows;
    TRY(damaged, reader->for_each([&](const QueueEntry& entry) {
        rows.push_back({entry.id.value, sender_of(entry), waiting_recipients(entry),
                        to_rfc3339(entry.received), entry.size, next_attempt(entry), last_reply(entry)});
        return true;
    }));
    print_rows({"id", "sender", "recipients", "received", "size", "next", "reply"}, rows, format,
               "the queue is empty");
    if (damaged != 0)
        return Failure(EX_DATAERR, std::to_string(damaged) + " entries of the queue cannot be read");
    return {};
}

Outcome<QueueId> parse_id(std::string_view text) {
    const auto number = text::parse_number<std::uint64_t>(text);
    if (!number)
        return Failure(EX_DATAERR, "\"" + text::quote_for_log(text) +
                                       "\" is not a queue id; `mailstead queue list` shows them");
    return QueueId(*number);
}

Outcome<> run_show(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    TRY(id, parse_id(arguments.one("ID")));
    TRY(reader, open_queue(settings));
    TRY(entry, reader->find(id));
    if (!entry)
        return Failure(EX_DATAERR, "there is no entry " + arguments.one("ID") + " in the queue (any more)");
    if (format == Format::table) {
        print_record({{"id", entry->id.value},
                      {"trace", entry->trace_id},
                      {"sender", sender_of(*entry)},
                      {"received", to_rfc3339(entry->received)},
                      {"expires", to_rfc3339(entry->expires)},
                      {"size", entry->size},
                      {"held", entry->held}},
                     format);
        print("\n");
    }
    std::vector<std::vector<Cell>> rows;
    for (const queue::QueuedRecipient& recipient : entry->recipients) {
        const queue::Progress& progress = recipient.progress;
        const bool waits = progress.state == RecipientState::waiting;
        rows.push_back({recipient.recipient.address.unicode(), std::string(to_string(progress.state)),
                        std::uint64_t{progress.attempts},
                        waits ? Cell(to_rfc3339(progress.next_attempt)) : Cell(), progress.last_host,
                        progress.last_reply});
    }
    print_rows({"recipient", "state", "attempts", "next", "host", "reply"}, rows, format, "no recipients");
    return {};
}

// `all`, an id, a domain (`example.org`), or a recipient (`a@example.org`).
Outcome<ipc::QueueCommand::Selector> parse_selector(const std::string& text) {
    using Command = ipc::QueueCommand;
    if (text == "all") return Command::Selector(Command::All{});
    if (text::parse_number<std::uint64_t>(text)) {
        TRY(id, parse_id(text));
        return Command::Selector(id);
    }
    if (text.find('@') != std::string::npos) {
        TRY(address, parse_address(text));
        return Command::Selector(Command::ToRecipient{address.to_string()});
    }
    TRY(domain, parse_domain(text));
    return Command::Selector(Command::ToDomain{domain.ascii()});
}

Outcome<> change(const Arguments& arguments, ipc::QueueCommand::Op op, std::string_view done) {
    TRY(settings, load_settings(arguments));
    std::uint64_t touched = 0;
    for (const std::string& text : arguments.all("WHICH")) {
        TRY(selector, parse_selector(text));
        TRY(count, command_queue(settings, {op, selector}));
        touched += count;
    }
    print(std::to_string(touched) + (touched == 1 ? " message " : " messages ") + std::string(done) + '\n');
    return {};
}

Outcome<> run_retry(const Arguments& arguments) {
    return change(arguments, ipc::QueueCommand::Op::retry, "will be tried now");
}
Outcome<> run_hold(const Arguments& arguments) {
    return change(arguments, ipc::QueueCommand::Op::hold, "held; `mailstead queue release` lets them go on");
}
Outcome<> run_release(const Arguments& arguments) {
    return change(arguments, ipc::QueueCommand::Op::release, "released");
}
Outcome<> run_remove(const Arguments& arguments) {
    return change(arguments, ipc::QueueCommand::Op::remove, "removed; the senders are not told");
}

}  // namespace

CommandGroup queue_commands() {
    const Parameter which{"WHICH", Takes::many, "Ids, domains, recipients, or all"};
    return {"queue",
            "Mail on its way to other servers",
            {{"queue list", "List what waits, and why", {kFormat}, &run_list},
             {"queue show",
              "Show one message and how far each recipient has come",
              {{"ID", Takes::one, "The id of the list"}, kFormat},
              &run_show},
             {"queue retry", "Try now", {which}, &run_retry},
             {"queue hold", "Do not try until released", {which}, &run_hold},
             {"queue release", "Go on with what is held", {which}, &run_release},
             {"queue remove", "Take out of the queue without a report to the sender", {which}, &run_remove}}};
}

}  // namespace mailstead::admin
