#include "imapd/commands/search_request.h"

#include <algorithm>

#include "common/base/text.h"

namespace mailstead::imapd::commands {
namespace {

using proto::SearchKey;
using proto::SearchOp;

class FilterExpander {
public:
    explicit FilterExpander(const std::vector<store::Snapshot::Annotation>& values) : values_(values) {}

    std::optional<Reply> expand(SearchKey& key, unsigned pass) {
        if (++keys_ > 3 * proto::kMaxSearchKeys) return no("Too many search keys", "LIMIT");
        if (key.op == SearchOp::filter) return replace(key, pass);
        for (SearchKey& child : key.children) {
            if (auto reply = expand(child, pass)) return reply;
        }
        return std::nullopt;
    }

private:
    std::optional<Reply> replace(SearchKey& key, unsigned pass) {
        const std::string name = key.text;
        const std::string* value = find(name);
        // RFC 5466, 3.1: a loop is as if the filter did not exist, and so is a value that is no search.
        if (value == nullptr || pass == kMaxFilterPasses) return undefined(name);
        text_ += value->size();
        if (text_ > kMaxFilterText) return no("The filters are too long", "LIMIT");
        auto parsed = proto::parse_filter(*value);
        if (!parsed) return undefined(name);
        key = *std::move(parsed);
        return expand(key, pass + 1);
    }

    // RFC 5466, 3.1: the private one comes first.
    const std::string* find(std::string_view name) const {
        for (const std::string_view root : {"/private/filters/values/", "/shared/filters/values/"}) {
            const std::string entry = std::string(root) + std::string(name);
            const auto found = std::find_if(values_.begin(), values_.end(), [&](const auto& each) {
                return text::iequals(each.name, entry);
            });
            if (found != values_.end()) return &found->value;
        }
        return nullptr;
    }

    static Reply undefined(const std::string& name) {
        return no("No such filter, or it is no search", "UNDEFINED-FILTER " + name);
    }

    const std::vector<store::Snapshot::Annotation>& values_;
    std::size_t keys_ = 0;
    std::size_t text_ = 0;
};

bool sorts_by_relevancy(const proto::Search& search) {
    return std::any_of(search.criteria.begin(), search.criteria.end(),
                       [](const proto::SortCriterion& c) { return c.key == proto::SortKey::relevancy; });
}

// What the key asks for that the client must not know of.
bool needs_hidden(const Session& session, const SearchKey& key) {
    return key.contains(SearchOp::fuzzy) && !session.capabilities.has(Capability::search_fuzzy);
}

}  // namespace

std::optional<Reply> expand_filters(SearchKey& key, const std::vector<store::Snapshot::Annotation>& values) {
    return FilterExpander(values).expand(key, 0);
}

std::optional<Reply> prepare(const Session& session, const proto::Search& search, SearchRequest& request) {
    request.key = search.key;
    if (request.key.contains(SearchOp::filter)) {
        const auto now = session.own_snapshot();
        if (!now) return reply_to(now.error());
        const auto values = now->metadata(std::nullopt);
        if (!values) return reply_to(values.error());
        if (auto reply = expand_filters(request.key, *values)) return reply;
        if (const char* excess = proto::excess_of(request.key)) return no(excess, "LIMIT");
        if (needs_hidden(session, request.key)) return bad("Not available");
    }
    request.fuzzy = request.key.contains(SearchOp::fuzzy);
    // RFC 6203, 4 and 6
    if (!request.fuzzy && (search.result.relevancy || sorts_by_relevancy(search)))
        return bad("RELEVANCY is for FUZZY searches");
    request.terms = loosen(request.key);
    return std::nullopt;
}

}  // namespace mailstead::imapd::commands
