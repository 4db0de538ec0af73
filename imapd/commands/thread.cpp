// THREAD (RFC 5256, 3).
#include "common/runtime/offload.h"
#include "imapd/commands/commands.h"
#include "imapd/commands/mailbox_search.h"
#include "imapd/commands/message_walk.h"
#include "imapd/commands/search_request.h"
#include "imapd/commands/sort_keys.h"
#include "imapd/commands/thread_forest.h"

namespace mailstead::imapd::commands {
namespace {

// Fewer are threaded at once.
constexpr std::size_t kOffloadFrom = 5'000;

// Subjects that were cut and begin alike get their whole texts: threads are told apart by them.
net::Task<store::Outcome<void>> complete_subjects(Session& session, SearchScope scope, ThreadInput& input) {
    std::vector<std::uint32_t> cut;
    for (std::uint32_t n = 0; n < input.size(); ++n) {
        if (input.subject(n).size() == store::kSortKey) cut.push_back(n);
    }
    std::sort(cut.begin(), cut.end(), [&](std::uint32_t a, std::uint32_t b) {
        const int order = input.subject(a).compare(input.subject(b));
        return order != 0 ? order < 0 : a < b;
    });
    std::vector<std::uint32_t> alike;
    for (std::size_t i = 0; i < cut.size(); ++i) {
        if ((i > 0 && input.subject(cut[i - 1]) == input.subject(cut[i])) ||
            (i + 1 < cut.size() && input.subject(cut[i + 1]) == input.subject(cut[i])))
            alike.push_back(cut[i]);
    }
    std::sort(alike.begin(), alike.end());
    store::UidSet uids;
    for (const std::uint32_t n : alike) uids.add(Uid(input.message(n).uid));
    auto at = alike.begin();
    const auto visit = [&](const WalkedMessage& message) {
        const std::uint32_t uid = message.info.uid.value;
        while (at != alike.end() && input.message(*at).uid < uid) ++at;
        if (at != alike.end() && input.message(*at).uid == uid)
            input.replace_subject(*at, whole_sort_text(proto::SortKey::subject, *message.cached));
    };
    co_return co_await walk_messages(session, scope, std::move(uids), WalkNeeds::cache, visit);
}

net::Task<store::Outcome<void>> collect(Session& session, SearchScope scope, store::UidSet uids,
                                        bool references, ThreadInput& input) {
    input.reserve(static_cast<std::size_t>(uids.count()));
    std::vector<std::uint64_t> hashes;
    const auto visit = [&](const WalkedMessage& message) {
        ThreadInput::Message one;
        one.uid = message.info.uid.value;
        one.arrival = arrival_date(message.info);
        hashes.clear();
        if (!references) {
            one.sent = sent_date(message.info, *message.header);
            return input.add(one, message.header->base_subject(), hashes);
        }
        one.sent = sent_date(message.info, *message.cached);
        one.id = message.cached->message_id_hash();
        one.is_reply = message.cached->is_reply_or_forward();
        hashes = message.cached->reference_hashes();
        input.add(one, message.cached->base_subject(), hashes);
    };
    const WalkNeeds needs = references ? WalkNeeds::cache : WalkNeeds::header;
    const auto done = co_await walk_messages(session, scope, std::move(uids), needs, visit);
    if (!done) co_return done.error();
    co_return co_await complete_subjects(session, scope, input);
}

net::Task<void> write_threads(Session& session, const ThreadInput& input, const proto::Search& search) {
    const store::UidRuns* messages = search.uid ? nullptr : &session.selected->messages;
    const proto::ThreadAlgorithm algorithm = search.algorithm;
    const auto job = [&input, messages, algorithm] {
        std::string text;
        ThreadForest::build(input, algorithm).write(text, messages);
        return text;
    };
    if (input.size() >= kOffloadFrom) {
        const auto text = co_await runtime::offload(session.backend.pool(), job);
        if (text) {
            session.out() += *text;
            co_return;
        }
    }
    session.out() += job();
}

}  // namespace

net::Task<Reply> thread(Session& session, Command& command) {
    const auto& search = std::get<proto::Search>(command.arguments);
    SearchRequest request;
    if (auto refusal = prepare(session, search, request)) co_return *std::move(refusal);
    if (request.key.contains(proto::SearchOp::mod_seq)) session.enable_condstore();
    store::UidSet candidates = session.selected->messages.uids();
    SearchScope scope = scope_of_selected(session);
    scope.whole = true;
    auto found = co_await find(session, request.key, scope, std::move(candidates));
    if (!found) co_return reply_to(found.error());
    if (!found->limited.empty()) co_return no("Too many messages to thread", without_uid(found->limited));
    ThreadInput input;
    const bool references = search.algorithm != proto::ThreadAlgorithm::ordered_subject;
    store::UidSet uids = std::move(found->uids);
    const auto collected = co_await collect(session, scope, std::move(uids), references, input);
    if (!collected) co_return reply_to(collected.error());
    co_await write_threads(session, input, search);
    co_return ok("Threaded");
}

}  // namespace mailstead::imapd::commands
