#include "imapd/session/selected.h"

#include <algorithm>

#include "imapd/commands/live_search.h"
#include "imapd/proto/flags.h"
#include "imapd/session/connection.h"

namespace mailstead::imapd {

using store::MessageInfo;
using store::Outcome;
using store::Snapshot;
using store::UidRange;
using store::UidSet;

store::FlagScope Selected::changeable_flags() const {
    return read_only ? store::FlagScope::none() : rights.changeable_flags();
}

void write_flag_list(std::string& out, const store::Flags& flags, const KeywordNames& names) {
    out += '(';
    bool separate = proto::write_system_flags(out, flags.system.bits());
    flags.keywords.each([&](std::size_t n) {
        if (n >= names.size()) return;
        if (separate) out += ' ';
        separate = true;
        out += names[n];
    });
    out += ')';
}

void write_available_flags(std::string& out, const KeywordNames& names) {
    out += "* FLAGS (";
    proto::write_system_flags(out, store::SystemFlags::kAll);
    for (const std::string& name : names) {
        out += ' ';
        out += name;
    }
    out += ")\r\n";
}

// RFC 4314, 5.1.1: only flags that the user may change.
void write_permanent_flags(std::string& out, const KeywordNames& names, store::FlagScope changeable) {
    out += "* OK [PERMANENTFLAGS (";
    const bool any = proto::write_system_flags(out, changeable.system.bits());
    if (changeable.keywords) {
        for (const std::string& name : names) {
            out += ' ';
            out += name;
        }
        if (names.size() < store::Keywords::kLimit) out += any ? " \\*" : "\\*";
    }
    out += ")] Flags that stay\r\n";
}

void write_fetch_head(std::string& out, std::uint32_t number, Uid uid, const Enabled& enabled) {
    out += "* ";
    proto::write_number(out, enabled.uid_only ? uid.value : number);
    out += enabled.uid_only ? " UIDFETCH (" : " FETCH (";
}

void write_flags_update(std::string& out, std::uint32_t number, const MessageInfo& message,
                        const KeywordNames& names, const Enabled& enabled) {
    write_fetch_head(out, number, message.uid, enabled);
    if (!enabled.uid_only) {
        out += "UID ";
        proto::write_number(out, message.uid.value);
        out += ' ';
    }
    out += "FLAGS ";
    write_flag_list(out, message.flags, names);
    if (enabled.condstore) {
        out += " MODSEQ (";
        proto::write_number(out, message.modseq.value);
        out += ')';
    }
    out += ")\r\n";
}

void write_uids(std::string& out, const UidSet& uids) {
    bool separate = false;
    for (const UidRange range : uids.ranges()) {
        if (separate) out += ',';
        separate = true;
        proto::write_number(out, range.first);
        if (range.first == range.last) continue;
        out += ':';
        proto::write_number(out, range.last);
    }
}

// From the highest number down, so that each EXPUNGE leaves the numbers of those still to come as they are.
void write_expunges(std::string& out, Selected& view, const UidSet& gone, bool vanished) {
    const UidSet known = gone.intersected(view.messages.uids());
    if (known.empty()) return;
    commands::tell_removed(out, view, known);
    if (vanished) {
        out += "* VANISHED ";
        write_uids(out, known);
        out += "\r\n";
    } else {
        for (auto range = known.ranges().rbegin(); range != known.ranges().rend(); ++range) {
            std::uint32_t number = view.messages.number_of(Uid(range->last));
            for (std::uint64_t left = range->count(); left > 0; --left, --number) {
                out += "* ";
                proto::write_number(out, number);
                out += " EXPUNGE\r\n";
            }
        }
    }
    for (const UidRange range : known.ranges()) view.messages.remove(range);
    if (view.saved_result) view.saved_result = view.saved_result->without(known);
}

Outcome<UpdateState> Updater::step(const Snapshot& snapshot, std::string& out) {
    if (!target_ && snapshot.highest_modseq() == view_.told && view_.expunges_told == view_.told)
        return UpdateState::done;
    const auto info = snapshot.mailbox(view_.info.id);
    if (!info) {
        if (info.error().fault == store::Fault::non_existent) return UpdateState::gone;
        return info.error();
    }
    if (info->uidvalidity != view_.info.uidvalidity) return UpdateState::gone;
    if (!target_ && info->highestmodseq == view_.told &&
        (view_.expunges_told == view_.told || !options_.expunges)) {
        return UpdateState::done;
    }
    if (!target_) target_ = info->highestmodseq;
    if (options_.flags) {
        TRY_VOID(tell_new_keywords(snapshot, view_, names_, out));
        TRY(finished, tell_flags(snapshot, out));
        if (!finished) return UpdateState::more;
    }
    if (options_.expunges) TRY_VOID(tell_expunges(snapshot, *target_, out));
    if (options_.arrivals) TRY_VOID(tell_arrivals(snapshot, *info, out));
    if (options_.flags) view_.told = *target_;
    target_.reset();
    return UpdateState::done;
}

Outcome<void> tell_new_keywords(const Snapshot& snapshot, Selected& view, KeywordNames& names,
                                std::string& out) {
    TRY(current, snapshot.keywords());
    names = std::move(current);
    if (names.size() == view.keywords_told) return Outcome<void>();
    view.keywords_told = names.size();
    write_available_flags(out, names);
    write_permanent_flags(out, names, view.changeable_flags());
    return Outcome<void>();
}

// Whether all was told.
Outcome<bool> Updater::tell_flags(const Snapshot& snapshot, std::string& out) {
    if (view_.next.value <= 1 || after_ + 1 >= view_.next.value) return true;
    const UidSet within({UidRange{after_ + 1, view_.next.value - 1}});
    bool full = false;
    const auto tell = [&](const MessageInfo& message) {
        if (full) return false;
        after_ = message.uid.value;
        const bool own = options_.own != nullptr && message.modseq == options_.own->mod_seq &&
                         options_.own->uids.contains(message.uid);
        const std::uint32_t number = own ? 0 : view_.messages.number_of(message.uid);
        if (number != 0) write_flags_update(out, number, message, names_, enabled_);
        full = out.size() >= kFlushAt;
        return !full;
    };
    TRY_VOID(snapshot.changed_since(view_.info.id, view_.told, within, tell));
    return !full;
}

Outcome<void> Updater::tell_expunges(const Snapshot& snapshot, ModSeq now, std::string& out) {
    if (view_.expunges_told == now) return Outcome<void>();
    TRY(gone, snapshot.vanished_since(view_.info.id, view_.expunges_told, view_.messages.uids()));
    // RFC 9586, 3.4: VANISHED speaks of UIDs.
    write_expunges(out, view_, gone, enabled_.qresync || enabled_.uid_only);
    view_.expunges_told = now;
    return Outcome<void>();
}

Outcome<void> Updater::tell_arrivals(const Snapshot& snapshot, const store::MailboxInfo& info,
                                     std::string& out) {
    if (info.uidnext == view_.next) return Outcome<void>();
    TRY(uids, snapshot.uids(view_.info.id));
    const std::uint32_t before = view_.messages.count();
    for (const UidRange range : uids.ranges()) {
        if (range.last < view_.next.value) continue;
        const UidRange fresh{std::max(range.first, view_.next.value), range.last};
        view_.messages.append(fresh);
        arrived_.add(fresh);
    }
    view_.next = info.uidnext;
    if (view_.messages.count() == before) return Outcome<void>();
    out += "* ";
    proto::write_number(out, view_.messages.count());
    out += " EXISTS\r\n";
    if (!enabled_.rev2) out += "* 0 RECENT\r\n";
    return Outcome<void>();
}

}  // namespace mailstead::imapd
