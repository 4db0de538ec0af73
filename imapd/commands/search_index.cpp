#include "imapd/commands/search_index.h"

#include "common/fulltext/account_indexer.h"
#include "common/runtime/offload.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {
namespace {

// So few messages are read faster than an index is opened.
constexpr std::uint64_t kFewMessages = 50;

void collect(SearchNode& node, std::vector<SearchNode*>& texts) {
    const bool looks_for_text = node.op == proto::SearchOp::body || node.op == proto::SearchOp::text;
    if (looks_for_text && !node.text->empty()) texts.push_back(&node);
    for (SearchNode& child : node.children) collect(child, texts);
}

// Any thread. Failures mean that messages are read instead.
void ask(const store::AccountReader& account, const std::filesystem::path& directory,
         const std::vector<SearchNode*>& texts) {
    const auto before = account.snapshot();
    const auto identity =
        before ? fulltext::identity_of(*before) : store::Outcome<std::string>(before.error());
    if (!identity) return;
    const auto index = fulltext::TextIndexReader::open(directory, *identity);
    if (!index) return;
    for (SearchNode* node : texts) {
        const auto scope = node->op == proto::SearchOp::body ? fulltext::Scope::body : fulltext::Scope::whole;
        auto answer = index->find(node->text->folded(), scope);
        if (answer && *answer) node->indexed = std::make_shared<const fulltext::Answer>(**std::move(answer));
    }
    // Ids that were never given: the account was restored from a copy that is older than its index.
    const auto after = account.snapshot();
    const auto info = after ? after->account() : store::Outcome<store::AccountInfo>(after.error());
    for (SearchNode* node : texts) {
        if (!info || (node->indexed && node->indexed->high > info->last_message.value)) node->indexed.reset();
    }
}

}  // namespace

net::Task<void> ask_text_index(Session& session, const store::AccountReader& account, SearchNode& plan,
                               const store::UidSet& candidates) {
    std::vector<SearchNode*> texts;
    collect(plan, texts);
    const auto directory = session.backend.fulltext_index(account.id());
    if (texts.empty() || !directory || candidates.count() <= kFewMessages) co_return;
    auto job = [&] { ask(account, *directory, texts); };
    (void)co_await runtime::offload(session.backend.pool(), std::move(job));
    order_by_cost(plan);
}

}  // namespace mailstead::imapd::commands
