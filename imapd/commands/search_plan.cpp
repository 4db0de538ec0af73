#include "imapd/commands/search_plan.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/mime/charset.h"
#include "common/mime/date_time.h"
#include "common/mime/encoded_word.h"
#include "common/mime/headers.h"
#include "common/mime/message_text.h"
#include "imapd/commands/ids.h"
#include "imapd/proto/flags.h"

namespace mailstead::imapd::commands {
namespace {

using proto::SearchKey;
using proto::SearchOp;

constexpr std::int64_t kDay = 86'400;

Match to_match(bool yes) {
    return yes ? Match::yes : Match::no;
}

std::int64_t seconds(Time time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::int64_t day_of(std::int64_t moment) {
    return (moment >= 0 ? moment / kDay : -((-moment + kDay - 1) / kDay)) * kDay;
}

// before, on or since the day: `which` counts from the first of the three.
Match test_day(std::int64_t day, std::int64_t wanted, SearchOp op) {
    switch (op) {
        case SearchOp::before:
        case SearchOp::sent_before:
        case SearchOp::saved_before:
            return to_match(day < wanted);
        case SearchOp::on:
        case SearchOp::sent_on:
        case SearchOp::saved_on:
            return to_match(day == wanted);
        default:
            return to_match(day >= wanted);
    }
}

store::UidSet uids_of(const SearchKey& key, const SearchContext& context) {
    if (key.set.is_saved_result()) return context.saved_result.value_or(store::UidSet());
    store::UidSet uids;
    if (key.op == SearchOp::uid) {
        for (const auto r : key.set.resolve(context.messages.last().value))
            uids.add(store::UidRange{r.first, r.last});
        return uids;
    }
    for (const auto r : key.set.resolve(context.messages.count())) {
        const store::UidSet some = context.messages.uids_of(r.first, r.last);
        for (const auto range : some.ranges()) uids.add(range);
    }
    return uids;
}

int find_keyword(const std::vector<std::string>& names, std::string_view wanted) {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (text::iequals(names[i], wanted)) return static_cast<int>(i);
    }
    return -1;
}

void plan_header(SearchNode& node, const SearchKey& key) {
    node.field = key.field;
    const std::string names[] = {key.field};
    store::FieldRequest request(names);
    if (request.is_covered()) node.request.emplace(std::move(request));
}

}  // namespace

SearchNode plan_search(const SearchKey& key, const SearchContext& context) {
    SearchNode node;
    node.op = key.op;
    node.number = key.number;
    switch (key.op) {
        case SearchOp::sequence:
        case SearchOp::uid:
            node.set = uids_of(key, context);
            break;
        case SearchOp::keyword:
            node.keyword = find_keyword(context.keywords, key.text);
            break;
        case SearchOp::older:
        case SearchOp::younger:
            node.begin = seconds(context.now) - static_cast<std::int64_t>(key.number);
            break;
        case SearchOp::email_id:
            node.number = read_id('M', key.text, context.id_scope).value_or(0);
            break;
        case SearchOp::thread_id:
            node.number = read_id('T', key.text, context.id_scope).value_or(0);
            break;
        case SearchOp::header:
            plan_header(node, key);
            [[fallthrough]];
        case SearchOp::body:
        case SearchOp::text:
            node.pattern = mime::fold_for_search(key.text);
            node.plain_pattern = text::is_ascii(key.text);
            break;
        default:
            if (key.day.ok()) node.begin = std::chrono::sys_days(key.day).time_since_epoch().count() * kDay;
            break;
    }
    for (const SearchKey& child : key.children) node.children.push_back(plan_search(child, context));
    return node;
}

Match SearchSubject::test(const SearchNode& node) {
    switch (node.op) {
        case SearchOp::all:
            return Match::yes;
        case SearchOp::none:
        case SearchOp::fuzzy:  // replaced before a search is planned
        case SearchOp::filter:
            return Match::no;
        case SearchOp::all_of:
            return test_all_of(node);
        case SearchOp::any_of:
            return test_any_of(node);
        case SearchOp::negation: {
            const Match inner = test(node.children.front());
            return inner == Match::unknown ? inner : to_match(inner == Match::no);
        }
        case SearchOp::sequence:
        case SearchOp::uid:
            return to_match(node.set.contains(info_.uid));
        case SearchOp::flag:
            return to_match((info_.flags.system.bits() & node.number) != 0);
        case SearchOp::keyword:
            return to_match(node.keyword >= 0 &&
                            info_.flags.keywords.has(static_cast<std::size_t>(node.keyword)));
        case SearchOp::before:
        case SearchOp::on:
        case SearchOp::since:
            return test_day(day_of(seconds(info_.internal_date)), node.begin, node.op);
        case SearchOp::saved_before:
        case SearchOp::saved_on:
        case SearchOp::saved_since:
            return test_day(day_of(seconds(info_.save_date)), node.begin, node.op);
        case SearchOp::sent_before:
        case SearchOp::sent_on:
        case SearchOp::sent_since:
            return test_sent(node);
        case SearchOp::older:
            return to_match(seconds(info_.internal_date) <= node.begin);
        case SearchOp::younger:
            return to_match(seconds(info_.internal_date) >= node.begin);
        case SearchOp::larger:
            return to_match(info_.size > node.number);
        case SearchOp::smaller:
            return to_match(info_.size < node.number);
        case SearchOp::mod_seq:
            return to_match(info_.modseq.value >= node.number);
        case SearchOp::email_id:
            return to_match(node.number != 0 && info_.message.value == node.number);
        case SearchOp::thread_id:
            return to_match(node.number != 0 && info_.thread.value == node.number);
        case SearchOp::header:
            return test_header(node);
        case SearchOp::body:
        case SearchOp::text:
            return test_text(node);
    }
    return Match::no;
}

Match SearchSubject::test_all_of(const SearchNode& node) {
    Match all = Match::yes;
    for (const SearchNode& child : node.children) {
        const Match one = test(child);
        if (one == Match::no) return one;
        if (one == Match::unknown) all = one;
    }
    return all;
}

Match SearchSubject::test_any_of(const SearchNode& node) {
    Match any = Match::no;
    for (const SearchNode& child : node.children) {
        const Match one = test(child);
        if (one == Match::yes) return one;
        if (one == Match::unknown) any = one;
    }
    return any;
}

// RFC 9051, 6.4.4: the day as the sender wrote it, time and zone aside.
Match SearchSubject::test_sent(const SearchNode& node) {
    if (message_ != nullptr) {
        const auto value = mime::find_value(message_->header(mime::kRootPart), "Date");
        const auto date =
            value ? mime::parse_message_date(*value) : Parsed<mime::DateTime>(ParseError("no date", 0));
        if (!date) return Match::no;
        return test_day(std::chrono::sys_days(date->local_date()).time_since_epoch().count() * kDay,
                        node.begin, node.op);
    }
    if (cached() == nullptr) return Match::unknown;
    const auto sent = cached()->sent_date();
    if (!sent) return Match::no;
    return test_day(day_of(sent->utc_seconds + std::int64_t{sent->offset_minutes} * 60), node.begin, node.op);
}

Match SearchSubject::test_header(const SearchNode& node) {
    if (message_ != nullptr) return to_match(contains(node, message_->header(mime::kRootPart)));
    if (!node.request) return Match::unknown;
    // Fields that lie apart are fetched for this key alone.
    std::optional<store::CachedMessage> with_rare;
    if (node.request->wants_rare()) with_rare = snapshot_->cached(info_.message, *node.request);
    const store::CachedMessage* record =
        node.request->wants_rare() ? (with_rare ? &*with_rare : nullptr) : cached();
    if (record == nullptr) return Match::unknown;
    thread_local std::string fields;
    fields.clear();
    if (!record->append_fields(fields, *node.request)) return Match::unknown;
    return to_match(contains(node, fields));
}

bool SearchSubject::contains(const SearchNode& node, std::string_view fields) const {
    mime::HeaderReader reader(fields);
    while (const auto field = reader.next()) {
        if (!field->is(node.field)) continue;
        if (node.pattern.empty()) return true;
        const std::string_view body = field->body;
        const bool plain = node.plain_pattern && text::is_ascii(body) && !mime::has_encoded_word(body) &&
                           body.find('\n') == std::string_view::npos;
        if (plain ? text::ifind(body, node.pattern) != std::string_view::npos
                  : mime::fold_for_search(mime::decode_encoded_words(field->value())).find(node.pattern) !=
                        std::string::npos) {
            return true;
        }
    }
    return false;
}

Match SearchSubject::test_text(const SearchNode& node) const {
    if (node.pattern.empty()) return Match::yes;
    if (message_ == nullptr) return Match::unknown;
    const auto scope = node.op == SearchOp::body ? mime::TextScope::body : mime::TextScope::whole;
    return to_match(mime::message_contains(*message_, scope, node.pattern));
}

const store::CachedMessage* SearchSubject::cached() {
    if (!cache_read_) {
        cached_ = snapshot_->cached(info_.message);
        cache_read_ = true;
    }
    return cached_ ? &*cached_ : nullptr;
}

namespace {

bool is_flag(const SearchNode& node, proto::SystemFlag flag) {
    return node.op == SearchOp::flag && node.number == static_cast<std::uint64_t>(flag);
}

// Whether the key was answered by narrowing.
store::Outcome<bool> narrow_by(const SearchNode& key, const store::Snapshot& snapshot, MailboxId mailbox,
                               store::UidSet& candidates) {
    if (key.op == SearchOp::all) return true;
    if (key.op == SearchOp::none) {
        candidates.clear();
        return true;
    }
    if (key.op == SearchOp::sequence || key.op == SearchOp::uid) {
        candidates = candidates.intersected(key.set);
        return true;
    }
    const bool negated = key.op == SearchOp::negation;
    const SearchNode& inner = negated ? key.children.front() : key;
    if (is_flag(inner, proto::SystemFlag::seen)) {
        TRY(unseen, snapshot.unseen(mailbox));
        candidates = negated ? candidates.intersected(unseen) : candidates.without(unseen);
        return true;
    }
    if (is_flag(inner, proto::SystemFlag::deleted)) {
        TRY(deleted, snapshot.deleted(mailbox));
        candidates = negated ? candidates.without(deleted) : candidates.intersected(deleted);
        return true;
    }
    return false;
}

}  // namespace

store::Outcome<bool> narrow(SearchNode& node, const store::Snapshot& snapshot, MailboxId mailbox,
                            store::UidSet& candidates) {
    if (node.op != SearchOp::all_of) {
        SearchNode only = std::move(node);
        node = SearchNode();
        node.op = SearchOp::all_of;
        node.children.push_back(std::move(only));
    }
    std::vector<SearchNode> left;
    for (SearchNode& child : node.children) {
        TRY(answered, narrow_by(child, snapshot, mailbox, candidates));
        if (!answered) left.push_back(std::move(child));
    }
    node.children = std::move(left);
    return node.children.empty();
}

}  // namespace mailstead::imapd::commands
