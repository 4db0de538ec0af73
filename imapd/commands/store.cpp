// STORE (RFC 9051, 6.4.6; RFC 7162, 3.1.3).
#include "imapd/commands/commands.h"

namespace mailstead::imapd::commands {
namespace {

store::StoreFlags::How to_store(proto::Store::How how) {
    switch (how) {
        case proto::Store::How::add:
            return store::StoreFlags::How::add;
        case proto::Store::How::remove:
            return store::StoreFlags::How::remove;
        case proto::Store::How::replace:
            break;
    }
    return store::StoreFlags::How::replace;
}

// RFC 4314, 4: one flag that may be changed is enough; the others stay as they are.
bool may_store(store::FlagScope scope, const store::FlagList& flags) {
    if (scope.empty()) return false;
    const store::FlagList within = scope.within(flags);
    return flags == store::FlagList() || within != store::FlagList();
}

// The new flags of each message asked for; with .SILENT only what CONDSTORE clients must hear: the new
// mod-sequence (RFC 7162, 3.1.3).
net::Task<bool> tell_result(Session& session, store::UidSet left, bool silent) {
    Selected& view = *session.selected;
    while (!left.empty()) {
        Uid last;
        {
            const auto now = session.selected->snapshot();
            if (!now) co_return true;
            (void)tell_new_keywords(*now, view, session.keywords, session.out());
            std::string& out = session.out();
            const auto tell = [&](const store::MessageInfo& message) {
                last = message.uid;
                const std::uint32_t number = view.messages.number_of(message.uid);
                if (number == 0) return true;
                if (!silent) {
                    write_flags_update(out, number, message, session.keywords, session.enabled);
                } else {
                    write_fetch_head(out, number, message.uid, session.enabled);
                    if (!session.enabled.uid_only) {
                        out += "UID ";
                        proto::write_number(out, message.uid.value);
                        out += ' ';
                    }
                    out += "MODSEQ (";
                    proto::write_number(out, message.modseq.value);
                    out += "))\r\n";
                }
                return out.size() < kFlushAt;
            };
            if (!now->messages(view.info.id, left, tell)) co_return true;
            if (out.size() < kFlushAt) co_return true;
        }
        left.remove(store::UidRange{1, last.value});
        const bool alive = co_await session.flush_if_full();
        if (!alive) co_return false;
    }
    co_return true;
}

// The account's mod-sequence if the client knows the flags of all `uids` as they are now; 0 otherwise.
ModSeq account_mod_seq(const Session& session, const store::UidSet& uids) {
    const Selected& view = *session.selected;
    const auto now = session.selected->snapshot();
    if (!now) return ModSeq();
    bool known = true;
    const auto visit = [&known](const store::MessageInfo&) {
        known = false;
        return false;
    };
    const auto looked = now->changed_since(view.info.id, view.told, uids, visit);
    return looked && known ? now->highest_modseq() : ModSeq();
}

// resp-text-code =/ "MODIFIED" SP sequence-set: in the numbers that the command used.
std::string modified(const Session& session, const store::UidSet& failed, bool uid) {
    std::string code = "MODIFIED ";
    if (uid) {
        write_uids(code, failed);
        return code;
    }
    std::vector<proto::NumberRange> numbers;
    failed.each([&](Uid u) {
        const std::uint32_t number = session.selected->messages.number_of(u);
        if (number != 0) proto::append_number(numbers, number);
    });
    proto::write_ranges(code, numbers);
    return code;
}

}  // namespace

net::Task<Reply> store_flags(Session& session, Command& command) {
    auto& wanted = std::get<proto::Store>(command.arguments);
    auto uids = session.resolve(wanted.messages, wanted.uid);
    if (!uids) co_return bad(std::string(uids.error().what));
    if (wanted.unchanged_since) session.enable_condstore();
    if (uids->empty()) co_return ok("No messages");
    const std::string limited = session.limit(*uids);

    const store::FlagScope scope = session.selected->changeable_flags();
    store::FlagList flags{store::SystemFlags::from_bits(wanted.flags.system),
                          std::move(wanted.flags.keywords)};
    if (!may_store(scope, flags)) co_return no("You may not change these flags", "NOPERM");
    const ModSeq known = account_mod_seq(session, *uids);
    store::StoreFlags change;
    change.mailbox = session.selected->info.id;
    change.uids = *uids;
    change.how = to_store(wanted.how);
    change.flags = std::move(flags);
    change.scope = scope;
    if (wanted.unchanged_since) change.unchanged_since = ModSeq(*wanted.unchanged_since);
    store::Action action = std::move(change);
    const auto done = co_await session.apply(session.selected->account, std::move(action));
    if (!done) co_return reply_to(done.error());
    const auto* stored = std::get_if<store::FlagsStored>(&*done);
    if (stored == nullptr) co_return no("The server did not understand itself", "SERVERBUG");

    // With .SILENT nothing is told of this change, unless somebody else has changed these messages and the
    // client does not know it yet: then it could not tell the outcome.
    const bool nothing_between = stored->modseq.value == known.value + 1 || !stored->modseq;
    const bool silent = wanted.silent && nothing_between;
    session.own_change = OwnChange{stored->changed, stored->modseq};
    if (!silent) {
        store::UidSet shown = uids->without(stored->failed);
        const bool told = co_await tell_result(session, std::move(shown), false);
        if (!told) co_return no("Connection lost");
    } else if (session.enabled.condstore) {
        store::UidSet shown = stored->changed;
        const bool told = co_await tell_result(session, std::move(shown), true);
        if (!told) co_return no("Connection lost");
    }
    if (stored->failed.empty()) co_return ok("Stored", limited);
    session.tell_limit(limited);
    co_return ok("Some were changed by others meanwhile", modified(session, stored->failed, wanted.uid));
}

}  // namespace mailstead::imapd::commands
