#include "imapd/commands/live_search.h"

#include <algorithm>

#include "imapd/commands/commands.h"
#include "imapd/commands/search_answer.h"
#include "imapd/commands/sort.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {
namespace {

using proto::SearchKey;
using proto::SearchOp;

constexpr std::size_t kMaxFrozenRanges = proto::SequenceSet::kMaxRanges;

// Whether changes of a message can change the verdict on it.
bool depends_on_flags(const SearchKey& key) {
    return key.contains(SearchOp::flag) || key.contains(SearchOp::keyword) || key.contains(SearchOp::mod_seq);
}

store::UidSet resolve(const proto::SequenceSet& set, std::uint32_t star) {
    std::vector<store::UidRange> ranges;
    for (const proto::NumberRange r : set.resolve(star)) ranges.push_back({r.first, r.last});
    return store::UidSet::from(std::move(ranges));
}

// The texts to be scored; null where there are none, and all messages are alike.
const std::vector<FuzzyTerm>* terms_of(const LiveSearch& search) {
    return search.terms.empty() ? nullptr : &search.terms;
}

// UIDs that sets with "*" name now and did not name before, or the other way round.
store::UidSet moved_by_star(const SearchKey& key, std::uint32_t before, std::uint32_t now) {
    store::UidSet moved;
    if (before == now) return moved;
    if (key.op == SearchOp::uid && key.set.has_star()) {
        const store::UidSet was = resolve(key.set, before);
        const store::UidSet is = resolve(key.set, now);
        moved = was.without(is).united(is.without(was));
    }
    for (const SearchKey& child : key.children) moved = moved.united(moved_by_star(child, before, now));
    return moved;
}

void freeze_sets(SearchKey& key, const SearchScope& scope, std::size_t& ranges) {
    const bool numbers =
        key.op == SearchOp::sequence || (key.op == SearchOp::uid && key.set.is_saved_result());
    if (numbers) {
        store::UidSet uids;
        if (key.set.is_saved_result()) {
            uids = scope.saved_result.value_or(store::UidSet());
        } else {
            for (const proto::NumberRange r : key.set.resolve(scope.messages.count())) {
                const store::UidSet some = scope.messages.uids_of(r.first, r.last);
                for (const store::UidRange range : some.ranges()) uids.add(range);
            }
        }
        std::vector<proto::NumberRange> written;
        for (const store::UidRange range : uids.ranges()) written.push_back({range.first, range.last});
        ranges += written.size();
        key.set = proto::SequenceSet::of(std::move(written));
        key.op = key.set.written().empty() ? SearchOp::none : SearchOp::uid;
    }
    if (ranges > kMaxFrozenRanges) return;
    for (SearchKey& child : key.children) freeze_sets(child, scope, ranges);
}

// ---- answers

class UpdateWriter {
public:
    UpdateWriter(std::string& out, const LiveSearch& search, const store::UidRuns& messages)
        : out_(out), search_(search), messages_(search.uid ? nullptr : &messages) {}

    // ret-data-addto = "ADDTO" SP "(" context-position SP sequence-set *(SP context-position SP sequence-set)
    // ")"
    void write(std::string_view what, const std::vector<LiveOrder::Stretch>& stretches) {
        if (stretches.empty()) return;
        begin(what);
        for (const LiveOrder::Stretch& stretch : stretches) {
            ResultList uids;
            for (const std::uint32_t uid : stretch.uids) uids.add(uid);
            pair(stretch.place, uids);
        }
        out_ += ')';
    }
    // RFC 5267, 4.3.3: place 0 where results stand in mailbox order.
    void write(std::string_view what, const store::UidSet& uids) {
        if (uids.empty()) return;
        begin(what);
        pair(0, ResultList(uids));
        out_ += ')';
    }
    void end() {
        if (begun_) out_ += "\r\n";
    }

private:
    void begin(std::string_view what) {
        if (!begun_) {
            out_ += "* ESEARCH (TAG ";
            proto::write_string(out_, search_.tag);
            out_ += search_.correlator;
            out_ += search_.uid ? ") UID" : ")";
        }
        begun_ = true;
        first_ = true;
        out_ += ' ';
        out_ += what;
        out_ += " (";
    }
    void pair(std::uint64_t place, const ResultList& uids) {
        if (!first_) out_ += ' ';
        first_ = false;
        proto::write_number(out_, place);
        out_ += ' ';
        proto::write_ranges(out_, messages_ == nullptr ? uids.ranges() : uids.numbered(*messages_).ranges());
    }

    std::string& out_;
    const LiveSearch& search_;
    const store::UidRuns* messages_;
    bool begun_ = false;
    bool first_ = true;
};

void take_out(LiveSearch& search, const store::UidSet& removed, UpdateWriter& writer) {
    if (removed.empty()) return;
    search.members = search.members.without(removed);
    if (search.order) {
        writer.write("REMOVEFROM", search.order->remove(removed));
    } else {
        writer.write("REMOVEFROM", removed);
    }
}

void put_in(LiveSearch& search, const store::UidSet& added, UpdateWriter& writer) {
    if (added.empty()) return;
    if (!search.order) {
        search.members = search.members.united(added);
        writer.write("ADDTO", added);
        return;
    }
    const auto stretches = search.order->insert(added);
    std::vector<store::UidRange> put;
    for (const LiveOrder::Stretch& stretch : stretches) {
        for (const std::uint32_t uid : stretch.uids) put.push_back({uid, uid});
    }
    search.members = search.members.united(store::UidSet::from(std::move(put)));
    writer.write("ADDTO", stretches);
}

store::Outcome<store::UidSet> changed_since(const Session& session, ModSeq since) {
    const Selected& view = *session.selected;
    TRY(now, view.snapshot());
    store::UidSet changed;
    const auto visit = [&](const store::MessageInfo& message) {
        changed.add(message.uid);
        return true;
    };
    TRY_VOID(now.changed_since(view.info.id, since, view.messages.uids(), visit));
    return changed;
}

// What has to be looked at again.
store::UidSet candidates_of(const LiveSearch& search, const Selected& view, const store::UidSet& changed) {
    store::UidSet candidates = changed;
    if (!depends_on_flags(search.key)) {
        candidates = changed.intersected(store::UidSet({store::UidRange{search.next.value, UINT32_MAX}}));
    }
    const store::UidSet moved = moved_by_star(search.key, search.star, view.messages.last().value);
    return moved.empty() ? candidates : candidates.united(moved.intersected(view.messages.uids()));
}

net::Task<store::Outcome<void>> update_one(Session& session, LiveSearch& search,
                                           const store::UidSet& changed) {
    const Selected& view = *session.selected;
    const store::UidSet candidates = candidates_of(search, view, changed);
    if (!candidates.empty()) {
        SearchScope scope = scope_of_selected(session);
        scope.limited = false;  // these few are all that may have changed
        store::UidSet looked_at = candidates;
        const auto found = co_await find(session, search.key, scope, std::move(looked_at));
        if (!found) co_return found.error();
        const store::UidSet added = found->uids.without(search.members);
        const store::UidSet removed = search.members.intersected(candidates).without(found->uids);
        if (search.order) {
            store::UidSet unknown = search.order->unknown(added);
            const std::size_t begin = search.order->records();
            if (!unknown.empty()) {
                const auto done = co_await collect_sort_keys(session, scope, std::move(unknown),
                                                             terms_of(search), search.order->keys());
                if (!done) co_return done.error();
            }
            search.order->learn(begin);
        }
        UpdateWriter writer(session.out(), search, view.messages);
        take_out(search, removed, writer);
        put_in(search, added, writer);
        writer.end();
    }
    search.next = view.next;
    search.star = view.messages.last().value;
    co_return store::Outcome<void>();
}

std::size_t records_of(const LiveSearches& live) {
    std::size_t records = 0;
    for (const LiveSearch& search : live.searches) records += search.order ? search.order->records() : 0;
    return records;
}

}  // namespace

std::optional<SearchKey> freeze(const SearchKey& key, const SearchScope& scope) {
    SearchKey frozen = key;
    std::size_t ranges = 0;
    freeze_sets(frozen, scope, ranges);
    if (ranges > kMaxFrozenRanges) return std::nullopt;
    return frozen;
}

bool is_live(const Session& session, std::string_view tag) {
    if (!session.selected || !session.selected->live) return false;
    const auto& searches = session.selected->live->searches;
    return std::any_of(searches.begin(), searches.end(), [tag](const LiveSearch& s) { return s.tag == tag; });
}

net::Task<bool> start_live(Session& session, LiveSearch search, std::vector<proto::SortCriterion> criteria,
                           ModSeq since) {
    Selected& view = *session.selected;
    if (!view.live) {
        view.live = std::make_shared<LiveSearches>();
        view.live->seen = since;
    }
    LiveSearches& live = *view.live;
    if (live.searches.empty()) live.seen = since;
    if (live.searches.size() >= kMaxLiveSearches) co_return false;
    if (!criteria.empty()) {
        if (records_of(live) + search.members.count() > kMaxLiveRecords) co_return false;
        SortKeys keys(std::move(criteria));
        store::UidSet members = search.members;
        const SearchScope scope = scope_of_selected(session);
        const auto collected =
            co_await collect_sort_keys(session, scope, std::move(members), terms_of(search), keys);
        if (!collected) co_return false;
        std::vector<std::uint32_t> sorted = co_await sort_all(session, keys);
        search.order.emplace(std::move(keys), std::move(sorted));
    }
    search.next = view.next;
    search.star = view.messages.last().value;
    live.searches.push_back(std::move(search));
    live.seen = std::min(live.seen, since);
    co_return true;
}

void refuse_live(Session& session, std::string_view tag) {
    std::string code = "NOUPDATE ";
    proto::write_string(code, tag);
    proto::write_condition(session.out(), "*", proto::Condition::no, code, "Too many live searches");
}

net::Task<bool> update_live_searches(Session& session) {
    Selected& view = *session.selected;
    if (!view.live || view.live->searches.empty() || view.live->seen == view.told) co_return true;
    const std::shared_ptr<LiveSearches> live = view.live;
    const ModSeq told = view.told;
    const auto changed = changed_since(session, live->seen);
    if (!changed) co_return true;  // it is tried again with the next change
    for (LiveSearch& search : live->searches) {
        const auto done = co_await update_one(session, search, *changed);
        if (!done) co_return true;
        const bool alive = co_await session.flush_if_full();
        if (!alive) co_return false;
    }
    live->seen = told;
    // Results that have outgrown what is kept are no longer followed.
    for (std::size_t n = live->searches.size(); n-- > 0 && records_of(*live) > 2 * kMaxLiveRecords;) {
        if (!live->searches[n].order) continue;
        refuse_live(session, live->searches[n].tag);
        live->searches.erase(live->searches.begin() + static_cast<std::ptrdiff_t>(n));
    }
    co_return true;
}

void tell_removed(std::string& out, const Selected& view, const store::UidSet& gone) {
    if (!view.live) return;
    for (LiveSearch& search : view.live->searches) {
        UpdateWriter writer(out, search, view.messages);
        take_out(search, search.members.intersected(gone), writer);
        writer.end();
        if (search.order) search.order->forget(gone);
    }
}

// RFC 5267, 4.3.5
net::Task<Reply> cancel_update(Session& session, Command& command) {
    const auto& cancel = std::get<proto::CancelUpdate>(command.arguments);
    for (const std::string& tag : cancel.tags) {
        if (!is_live(session, tag)) co_return bad("No such search");
    }
    auto& searches = session.selected->live->searches;
    std::erase_if(searches, [&](const LiveSearch& search) {
        return std::find(cancel.tags.begin(), cancel.tags.end(), search.tag) != cancel.tags.end();
    });
    if (searches.empty()) session.selected->live.reset();
    co_return ok("No further updates");
}

}  // namespace mailstead::imapd::commands
