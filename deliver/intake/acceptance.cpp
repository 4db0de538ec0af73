// From a message and its envelope to one transaction, and from its outcome to an answer.
#include <map>

#include "common/queue/change.h"
#include "deliver/intake/intake.h"

namespace mailstead::deliver {
namespace {

MessageFacts facts_of(const ipc::DeliverMessage& message) {
    MessageFacts facts;
    facts.trace_id = message.trace_id;
    facts.envelope = message.envelope;
    facts.envelope.recipients.clear();
    facts.service = message.origin.service;
    facts.account = message.origin.auth_account;
    facts.size = message.size;
    facts.received = message.received;
    return facts;
}

ipc::LedgerLine accepted_line(const ipc::DeliverMessage& message) {
    ipc::LedgerLine line;
    line.trace_id = message.trace_id;
    line.time = message.received;
    line.stage = "accepted";
    line.fields = {{"service", std::string(ipc::to_string(message.origin.service))},
                   {"client", message.origin.client.ip.to_string()},
                   {"helo", message.origin.helo},
                   {"from", to_string(message.envelope.reverse_path)},
                   {"size", std::to_string(message.size)}};
    if (!message.origin.auth_login.empty()) line.fields.emplace_back("login", message.origin.auth_login);
    line.fields.emplace_back("tls", message.origin.tls_version.empty()
                                        ? "none"
                                        : message.origin.tls_version + " " + message.origin.tls_cipher);
    if (!message.verdict.empty()) line.fields.emplace_back("verdict", message.verdict);
    return line;
}

ipc::LedgerLine recipient_line(const ipc::DeliverMessage& message, const ipc::Recipient& recipient) {
    ipc::LedgerLine line;
    line.trace_id = message.trace_id;
    line.time = message.received;
    const auto* remote = std::get_if<ipc::Remote>(&recipient.target);
    line.stage = remote ? "queued" : "filed";
    line.fields = {{"to", recipient.address.to_string()}};
    if (remote && remote->address != recipient.address)
        line.fields.emplace_back("forwarded", remote->address.to_string());
    if (!remote) line.fields.emplace_back("mailbox", message.junk ? "Junk" : "INBOX");
    return line;
}

}  // namespace

Acceptance accept(const ipc::DeliverMessage& message, const std::string& fetch_cache, Quotas* quotas,
                  const QueueLimits& limits, Lone lone) {
    Acceptance made;
    const MessageFacts facts = facts_of(message);
    // An account gets a message once, by however many addresses it was named.
    std::map<AccountId, const ipc::Recipient*> local;
    std::vector<ipc::Recipient> remote;
    std::vector<ipc::LedgerLine> lines{accepted_line(message)};
    for (const ipc::Recipient& recipient : message.envelope.recipients) {
        if (const auto* here = std::get_if<ipc::Local>(&recipient.target)) {
            if (!local.emplace(here->account, &recipient).second) continue;
        } else {
            remote.push_back(recipient);
        }
        if (lines.size() <= 100) lines.push_back(recipient_line(message, recipient));
    }
    for (const auto& [account, recipient] : local) {
        auto correction = quotas ? quotas->correction(account, message.received) : std::nullopt;
        if (!correction) continue;
        // A limit that cannot be set now must not refuse the message: an empty ledger part, which always
        // holds, takes its place.
        correction->otherwise.push_back(ledger::part({}));
        made.transaction.parts.push_back(*std::move(correction));
    }
    made.for_one_mailbox = local.size() == 1 && remote.empty();
    const bool may_wait = !made.for_one_mailbox || lone == Lone::waits;
    for (const auto& [account, recipient] : local) {
        commit::Part part =
            deposit_part(account, {fetch_cache, message.size, 0, message.received, message.junk, false});
        // One mailbox that is full must not hold the message back from the others: it waits in the queue, and
        // its sender is told in the end. A message for that mailbox alone is refused at once instead.
        if (may_wait) part.otherwise.push_back(enqueue_part(facts, {*recipient}, 0, limits));
        made.transaction.parts.push_back(std::move(part));
    }
    if (!remote.empty()) {
        made.enqueued = made.transaction.parts.size();
        made.transaction.parts.push_back(enqueue_part(facts, std::move(remote), 0, limits));
    }
    made.transaction.parts.push_back(ledger::part(lines));
    return made;
}

ipc::DeliverAnswer answer_for(const Acceptance& acceptance, const commit::Outcome& outcome) {
    ipc::DeliverAnswer answer;
    // The parts stand or fall together: each of them carries the reason.
    if (!outcome.front().result) {
        answer.outcome = ipc::DeliverAnswer::Outcome::transient;
        answer.text = describe_refusal(outcome.front().result.error());
        return answer;
    }
    answer.outcome = ipc::DeliverAnswer::Outcome::accepted;
    if (acceptance.enqueued) {
        const auto number = queue::decode_number(*outcome[*acceptance.enqueued].result);
        answer.queue_id = number ? *number : 0;
    }
    return answer;
}

}  // namespace mailstead::deliver
