#include "imapd/commands/search_plan.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/mime/charset.h"
#include "common/mime/date_time.h"
#include "common/mime/encoded_word.h"
#include "common/mime/headers.h"
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
    node.header_text = store::header_text_of(key.field);
}

// What it takes to test one message, in rising order.
enum class Cost : std::uint8_t { entry, record, cache, rare_cache, header, file };

Cost cost_of(const SearchNode& node) {
    switch (node.op) {
        case SearchOp::sent_before:
        case SearchOp::sent_on:
        case SearchOp::sent_since:
            return Cost::record;
        case SearchOp::header:
            if (node.header_text) return Cost::record;
            if (!node.request) return Cost::header;
            return node.request->wants_rare() ? Cost::rare_cache : Cost::cache;
        case SearchOp::body:
        case SearchOp::text:
            return node.indexed ? Cost::entry : Cost::file;
        default:
            break;
    }
    Cost most = Cost::entry;
    for (const SearchNode& child : node.children) most = std::max(most, cost_of(child));
    return most;
}

SearchNode plan_key(const SearchKey& key, const SearchContext& context) {
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
            if (key.op != SearchOp::header) node.text = std::make_shared<mime::TextPattern>(node.pattern);
            break;
        default:
            if (key.day.ok()) node.begin = std::chrono::sys_days(key.day).time_since_epoch().count() * kDay;
            break;
    }
    for (const SearchKey& child : key.children) node.children.push_back(plan_key(child, context));
    return node;
}

}  // namespace

SearchNode plan_search(const SearchKey& key, const SearchContext& context) {
    SearchNode plan = plan_key(key, context);
    order_by_cost(plan);
    return plan;
}

void order_by_cost(SearchNode& node) {
    for (SearchNode& child : node.children) order_by_cost(child);
    std::stable_sort(node.children.begin(), node.children.end(),
                     [](const SearchNode& a, const SearchNode& b) { return cost_of(a) < cost_of(b); });
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

namespace {

std::int64_t local_day(const store::CachedMessage::SentDate& sent) {
    return day_of(sent.utc_seconds + std::int64_t{sent.offset_minutes} * 60);
}

}  // namespace

// RFC 9051, 6.4.4: the day as the sender wrote it, time and zone aside.
Match SearchSubject::test_sent(const SearchNode& node) {
    if (const store::HeaderRecord* dense = record()) {
        const auto sent = dense->sent_date();
        return sent ? test_day(local_day(*sent), node.begin, node.op) : Match::no;
    }
    if (const store::CachedMessage* usual = cached()) {
        const auto sent = usual->sent_date();
        return sent ? test_day(local_day(*sent), node.begin, node.op) : Match::no;
    }
    if (content_ == nullptr) return Match::unknown;
    const auto header = content_->header();
    const auto value = header ? mime::find_value(*header, "Date") : std::nullopt;
    if (!value) return Match::no;
    const auto date = mime::parse_message_date(*value);
    if (!date) return Match::no;
    return test_day(std::chrono::sys_days(date->local_date()).time_since_epoch().count() * kDay, node.begin,
                    node.op);
}

Match SearchSubject::test_header(const SearchNode& node) {
    if (node.header_text) {
        const store::HeaderRecord* dense = record();
        if (dense != nullptr) {
            if (!dense->has(*node.header_text)) return Match::no;
            if (node.pattern.empty()) return Match::yes;
            if (const auto text = dense->text(*node.header_text))
                return to_match(text::ifind(*text, node.pattern) != std::string_view::npos);  // both folded
        }
    }
    if (node.request) {
        if (const auto match = test_cached_header(node)) return *match;
    }
    if (content_ == nullptr) return Match::unknown;
    const auto header = content_->header();
    return to_match(header && contains(node, *header));
}

std::optional<Match> SearchSubject::test_cached_header(const SearchNode& node) {
    // Fields that lie apart are fetched for this key alone.
    std::optional<store::CachedMessage> with_rare;
    if (node.request->wants_rare()) with_rare = snapshot_.cached(info_.message, *node.request);
    const store::CachedMessage* usual =
        node.request->wants_rare() ? (with_rare ? &*with_rare : nullptr) : cached();
    if (usual == nullptr) return std::nullopt;
    thread_local std::string fields;
    fields.clear();
    if (!usual->append_fields(fields, *node.request)) return std::nullopt;
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
        if (plain ? text::ifind(text::trim(body), node.pattern) != std::string_view::npos
                  : mime::fold_for_search(mime::decode_encoded_words(field->value())).find(node.pattern) !=
                        std::string::npos) {
            return true;
        }
    }
    return false;
}

Match SearchSubject::test_text(const SearchNode& node) {
    if (node.text->empty()) return Match::yes;
    if (node.indexed && info_.message.value <= node.indexed->high) {
        if (!node.indexed->possible.contains(info_.message.value)) return Match::no;
        if (node.indexed->certain.contains(info_.message.value)) return Match::yes;
    }
    if (content_ == nullptr) return Match::unknown;
    const auto scope = node.op == SearchOp::body ? mime::TextScope::body : mime::TextScope::whole;
    return to_match(content_->contains(scope, *node.text));
}

const store::HeaderRecord* SearchSubject::record() {
    if (!record_read_) {
        record_ = snapshot_.header(info_.message);
        record_read_ = true;
    }
    return record_ ? &*record_ : nullptr;
}

const store::CachedMessage* SearchSubject::cached() {
    if (!cache_read_) {
        cached_ = snapshot_.cached(info_.message);
        cache_read_ = true;
    }
    return cached_ ? &*cached_ : nullptr;
}

namespace {

bool is_flag(const SearchNode& node, proto::SystemFlag flag) {
    return node.op == SearchOp::flag && node.number == static_cast<std::uint64_t>(flag);
}

// Answers keys by sets of UIDs, as far as the index keeps such.
class SetAlgebra {
public:
    SetAlgebra(const store::Snapshot& snapshot, MailboxId mailbox, const store::UidSet& universe)
        : snapshot_(snapshot), mailbox_(mailbox), universe_(universe) {}

    // Which of the universe match; nullopt when sets cannot tell.
    store::Outcome<std::optional<store::UidSet>> solve(const SearchNode& node) const {
        switch (node.op) {
            case SearchOp::all:
                return std::optional(universe_);
            case SearchOp::none:
                return std::optional(store::UidSet());
            case SearchOp::sequence:
            case SearchOp::uid:
                return std::optional(universe_.intersected(node.set));
            case SearchOp::flag:
                return solve_flag(node);
            case SearchOp::negation: {
                TRY(inner, solve(node.children.front()));
                if (inner) inner = universe_.without(*inner);
                return inner;
            }
            case SearchOp::all_of:
            case SearchOp::any_of:
                return solve_children(node);
            default:
                return std::optional<store::UidSet>();
        }
    }

private:
    store::Outcome<std::optional<store::UidSet>> solve_flag(const SearchNode& node) const {
        if (is_flag(node, proto::SystemFlag::seen)) {
            TRY(unseen, snapshot_.unseen(mailbox_));
            return std::optional(universe_.without(unseen));
        }
        if (is_flag(node, proto::SystemFlag::deleted)) {
            TRY(deleted, snapshot_.deleted(mailbox_));
            return std::optional(universe_.intersected(deleted));
        }
        return std::optional<store::UidSet>();
    }

    store::Outcome<std::optional<store::UidSet>> solve_children(const SearchNode& node) const {
        const bool all = node.op == SearchOp::all_of;
        store::UidSet result = all ? universe_ : store::UidSet();
        for (const SearchNode& child : node.children) {
            TRY(part, solve(child));
            if (!part) return std::optional<store::UidSet>();
            result = all ? result.intersected(*part) : result.united(*part);
        }
        return std::optional(std::move(result));
    }

    const store::Snapshot& snapshot_;
    MailboxId mailbox_;
    const store::UidSet& universe_;
};

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
        TRY(answer, SetAlgebra(snapshot, mailbox, candidates).solve(child));
        if (answer) {
            candidates = *std::move(answer);
        } else {
            left.push_back(std::move(child));
        }
    }
    node.children = std::move(left);
    return node.children.empty();
}

}  // namespace mailstead::imapd::commands
