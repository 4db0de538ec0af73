// SEARCH (RFC 9051, 6.4.4; RFC 4731; RFC 5182; RFC 7162, 3.1.5).
#include "imapd/commands/commands.h"
#include "imapd/commands/search_index.h"
#include "imapd/commands/search_plan.h"
#include "imapd/commands/search_run.h"

namespace mailstead::imapd::commands {
namespace {

// `limited`: the response code when not all was looked at (RFC 9738, 3).
net::Task<store::Outcome<Found>> find(Session& session, const proto::Search& request, std::string& limited) {
    store::UidSet left = session.selected->messages.uids();
    SearchNode plan;
    {
        auto now = session.selected->snapshot();
        if (!now) co_return now.error();
        if (auto names = now->keywords()) session.keywords = *std::move(names);
        const SearchContext context{session.selected->messages, session.selected->saved_result,
                                    session.keywords, mailstead::now(), session.selected->id_scope()};
        plan = plan_search(request.key, context);
        const MailboxId mailbox = session.selected->info.id;
        const auto existing = now->uids(mailbox);
        if (!existing) co_return existing.error();
        left = left.intersected(*existing);
        const auto decided = narrow(plan, *now, mailbox, left);
        if (!decided) co_return decided.error();
        limited = session.limit(left);
        if (*decided) {
            Found found;
            found.uids = std::move(left);
            co_return found;
        }
    }
    const store::AccountReader account = *session.selected->reader;
    co_await ask_text_index(session, account, plan, left);
    const std::uint64_t goal = left.count();
    SearchOptions options;
    options.between_rounds = [&session](SearchProgress at) {
        return session.tell_progress(at.done, at.total);
    };
    auto found =
        co_await run_search(session, account, session.selected->info.id, plan, std::move(left), options);
    (void)co_await session.tell_progress(goal, goal);
    co_return found;
}

// Found messages in the numbers that the command uses.
std::vector<proto::NumberRange> numbers(const Session& session, const store::UidSet& uids, bool uid) {
    std::vector<proto::NumberRange> ranges;
    for (const store::UidRange range : uids.ranges()) {
        proto::NumberRange r{range.first, range.last};
        if (!uid) {
            r.first = session.selected->messages.number_of(Uid(range.first));
            if (r.first == 0) continue;
            r.last = r.first + static_cast<std::uint32_t>(range.count() - 1);
        }
        if (!ranges.empty() && ranges.back().last + 1 == r.first) {
            ranges.back().last = r.last;
        } else {
            ranges.push_back(r);
        }
    }
    return ranges;
}

// RFC 3501, 7.2.5; RFC 7162, 3.1.5: "SEARCH" *(SP nz-number) [SP "(" "MODSEQ" SP n ")"]
void write_plain(std::string& out, const std::vector<proto::NumberRange>& ranges, ModSeq mod_seq) {
    out += "* SEARCH";
    for (const proto::NumberRange r : ranges) {
        for (std::uint64_t n = r.first; n <= r.last; ++n) {
            out += ' ';
            proto::write_number(out, n);
        }
    }
    if (mod_seq && !ranges.empty()) {
        out += " (MODSEQ ";
        proto::write_number(out, mod_seq.value);
        out += ')';
    }
    out += "\r\n";
}

// RFC 4731, 3.2: the mod-sequence of what is returned.
ModSeq mod_seq_of(const proto::SearchReturn& wanted, const Found& found) {
    if (wanted.all || wanted.count || (!wanted.min && !wanted.max)) return found.highest;
    ModSeq highest;
    if (wanted.min && found.first) highest = std::max(highest, found.first->modseq);
    if (wanted.max && found.last) highest = std::max(highest, found.last->modseq);
    return highest;
}

// esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
void write_extended(std::string& out, std::string_view tag, bool uid, const proto::SearchReturn& wanted,
                    const std::vector<proto::NumberRange>& ranges, std::uint64_t count, ModSeq mod_seq) {
    out += "* ESEARCH (TAG ";
    proto::write_string(out, tag);
    out += uid ? ") UID" : ")";
    if (wanted.min && !ranges.empty()) {
        out += " MIN ";
        proto::write_number(out, ranges.front().first);
    }
    if (wanted.max && !ranges.empty()) {
        out += " MAX ";
        proto::write_number(out, ranges.back().last);
    }
    if (wanted.all && !ranges.empty()) {
        out += " ALL ";
        proto::write_ranges(out, ranges);
    }
    if (wanted.count) {
        out += " COUNT ";
        proto::write_number(out, count);
    }
    if (mod_seq && !ranges.empty()) {
        out += " MODSEQ ";
        proto::write_number(out, mod_seq.value);
    }
    out += "\r\n";
}

// RFC 5182, 2.1: what "$" holds afterwards.
store::UidSet result_to_save(const proto::SearchReturn& wanted, const Found& found) {
    if (wanted.all || wanted.count || (!wanted.min && !wanted.max)) return found.uids;
    store::UidSet saved;
    if (wanted.min && !found.uids.empty()) saved.add(found.uids.first());
    if (wanted.max && !found.uids.empty()) saved.add(found.uids.last());
    return saved;
}

}  // namespace

net::Task<Reply> search(Session& session, Command& command) {
    const auto& request = std::get<proto::Search>(command.arguments);
    const bool wants_mod_seq = request.key.contains(proto::SearchOp::mod_seq);
    if (wants_mod_seq) session.enable_condstore();
    std::string limited;
    const auto found = co_await find(session, request, limited);
    if (!found) {
        // RFC 5182, 2.1: a search with SAVE that fails leaves nothing saved.
        if (request.result.save) session.selected->saved_result = store::UidSet();
        co_return reply_to(found.error());
    }
    proto::SearchReturn wanted = request.result;
    if (wanted.save) session.selected->saved_result = result_to_save(wanted, *found);
    const auto ranges = numbers(session, found->uids, request.uid);
    const ModSeq mod_seq = wants_mod_seq ? mod_seq_of(wanted, *found) : ModSeq();
    if (!wanted.extended && !session.enabled.rev2) {
        write_plain(session.out(), ranges, mod_seq);
        co_return ok("Found", std::move(limited));
    }
    if (!wanted.extended) wanted.all = true;
    // RFC 5182, 2.4: SAVE alone returns nothing.
    if (wanted.min || wanted.max || wanted.all || wanted.count) {
        write_extended(session.out(), command.tag, request.uid, wanted, ranges, found->uids.count(), mod_seq);
    }
    co_return ok("Found", std::move(limited));
}

}  // namespace mailstead::imapd::commands
