// A complete message: checked, given its trace fields, handed to deliver.
#include "common/base/text.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"
#include "smtpd/policy/header.h"
#include "smtpd/policy/submission.h"
#include "smtpd/policy/trace_fields.h"
#include "smtpd/policy/verdict.h"
#include "smtpd/session/session.h"

namespace mailstead::smtpd {
namespace {

using smtp::EnhancedCode;

metrics::Counter accepted("smtp_messages_accepted");
metrics::Counter refused("smtp_messages_refused");
metrics::Counter postponed("smtp_messages_postponed");
metrics::Counter octets_accepted("smtp_octets_accepted");

// Deliver says `4.3.1 Mail system full`; the reply code follows from it (RFC 5321, 4.2.3).
smtp::Reply reply_to(const ipc::DeliverAnswer& answer, const std::string& id) {
    if (answer.outcome == ipc::DeliverAnswer::Outcome::accepted) {
        return smtp::Reply(250, EnhancedCode{2, 0, 0}, "Accepted, id " + id);
    }
    const bool transient = answer.outcome == ipc::DeliverAnswer::Outcome::transient;
    std::string_view words = answer.text;
    const std::size_t space = std::min(words.find(' '), words.size());
    auto enhanced = EnhancedCode::parse(words.substr(0, space));
    if (enhanced) words = words.substr(std::min(space + 1, words.size()));
    if (!enhanced || enhanced->kind != (transient ? 4 : 5)) {
        enhanced = transient ? EnhancedCode{4, 3, 0} : EnhancedCode{5, 0, 0};
    }
    int code = transient ? 451 : 554;
    if (enhanced->subject == 2 && enhanced->detail == 2) code = transient ? 452 : 552;
    if (enhanced->subject == 3 && enhanced->detail == 1) code = transient ? 452 : 552;
    if (enhanced->subject == 7) code = transient ? 451 : 550;
    return smtp::Reply(code, *enhanced, words.empty() ? "The message was not taken" : std::string(words));
}

ipc::NotifyFlags notify_flags(const std::optional<smtp::Notify>& notify) {
    if (!notify) return 0;
    if (notify->never()) return ipc::kNotifyNever;
    return static_cast<ipc::NotifyFlags>((notify->success ? ipc::kNotifySuccess : 0) |
                                         (notify->failure ? ipc::kNotifyFailure : 0) |
                                         (notify->delay ? ipc::kNotifyDelay : 0));
}

ipc::BodyType body_type(const std::optional<smtp::BodyType>& body) {
    if (body == smtp::BodyType::eight_bit_mime) return ipc::BodyType::eight_bit_mime;
    return body == smtp::BodyType::binary_mime ? ipc::BodyType::binary_mime : ipc::BodyType::seven_bit;
}

void add_recipient(const Recipient& recipient, ipc::Envelope& envelope) {
    const smtp::Rcpt& rcpt = recipient.rcpt;
    const auto add = [&](ipc::Target target) {
        envelope.recipients.push_back(
            {.address = *rcpt.to,
             .notify = notify_flags(rcpt.notify),
             .orcpt = rcpt.orcpt ? rcpt.orcpt->type + ";" + rcpt.orcpt->address : std::string(),
             .target = std::move(target)});
    };
    for (const directory::LocalTarget& local : recipient.targets.local) {
        add(ipc::Local{.account = local.account, .mailbox_hint = local.detail});
    }
    for (const Address& remote : recipient.targets.remote) add(ipc::Remote{remote});
}

ipc::Envelope envelope_of(const Transaction& transaction) {
    ipc::Envelope envelope;
    envelope.reverse_path = transaction.mail.from;
    for (const Recipient& recipient : transaction.recipients) add_recipient(recipient, envelope);
    if (transaction.mail.ret) {
        envelope.ret = *transaction.mail.ret == smtp::DsnReturn::full ? ipc::ReturnContent::full
                                                                      : ipc::ReturnContent::headers;
    }
    envelope.envid = transaction.mail.envid.value_or("");
    envelope.smtputf8 = transaction.mail.smtputf8;
    envelope.body = body_type(transaction.mail.body);
    return envelope;
}

smtp::Reply spool_failure(const SpoolError& error) {
    if (error.disk_full())
        return smtp::Reply(452, EnhancedCode{4, 3, 1}, "The disk is full, try again later");
    return smtp::Reply(451, EnhancedCode{4, 3, 0}, "The message could not be kept, try again later");
}

bool has_local(const Transaction& transaction) {
    return std::any_of(transaction.recipients.begin(), transaction.recipients.end(),
                       [](const Recipient& recipient) { return !recipient.targets.local.empty(); });
}

}  // namespace

net::Task<smtp::Reply> Session::hand_off() {
    Environment& shared = worker_.environment;
    const Time time = now();
    Body& body = intake_->body();
    const HeaderFacts facts = examine_header(body.header(), profile_.service, shared.hostname);
    if (facts.hops > kMaxHops) {
        smtp::Reply loop(554, EnhancedCode{5, 4, 6},
                         "The message goes round in circles: too many Received fields");
        note_refusal("loop", loop, {});
        co_return loop;
    }
    std::optional<Findings> findings;
    Decision decision;
    if (Verification* verification = intake_->verification()) {
        findings = co_await verification->finish(facts.from);
        decision = decide(*findings, shared.enforce_dmarc);
        if (decision.refusal) note_refusal("dmarc", *decision.refusal, summarize(*findings));
    } else {
        decision.refusal = check_submission(facts);
        if (decision.refusal) note_refusal("from", *decision.refusal, {});
    }
    if (decision.refusal) co_return *std::move(decision.refusal);

    std::string front = front_fields(facts, findings, time);
    if (body.headerless()) front += "\r\n";
    auto file = body.write(front, facts.cuts);
    if (!file) {
        const smtp::Reply failure = spool_failure(file.error());
        note_refusal("spool", failure, {});
        co_return failure;
    }
    std::uint64_t size = body.size() + front.size();
    for (const Cut& cut : facts.cuts) size -= cut.size;
    auto message = delivery(findings, decision.junk, size, time);
    const std::string verdict = message.verdict;
    const auto answer = co_await worker_.deliver->deliver(std::move(message), *std::move(file));
    if (!answer) {
        const smtp::Reply away(451, EnhancedCode{4, 3, 0},
                               "Delivery is not possible right now, try again soon");
        log::error("smtp.deliver.away", {{"id", core_->transaction().id}, {"why", answer.error().what}});
        note_refusal("deliver", away, verdict);
        co_return away;
    }
    const smtp::Reply reply = reply_to(*answer, core_->transaction().id);
    if (!reply.positive()) {
        note_refusal("deliver", reply, verdict);
        co_return reply;
    }
    accepted.add();
    octets_accepted.add(size);
    log::info("smtp.accept",
              {{"id", core_->transaction().id},
               {"peer", client_ip_},
               {"from", to_string(core_->transaction().mail.from)},
               {"recipients", core_->transaction().recipients.size()},
               {"size", size},
               {"message_id", facts.message_id},
               {"tls", tls_facts_.version},
               {"login", core_->identity() ? std::string_view(core_->identity()->login) : std::string_view{}},
               {"verdict", verdict}});
    co_return reply;
}

std::optional<smtp::Reply> Session::check_submission(const HeaderFacts& facts) const {
    return check_authors(facts, [this](const Address& author) {
        return worker_.environment.directory.may_send_as(core_->identity()->account, author);
    });
}

std::string Session::front_fields(const HeaderFacts& facts, const std::optional<Findings>& findings,
                                  Time time) const {
    const Transaction& transaction = core_->transaction();
    const dns::IpAddress client = dns::to_dns(stream_.peer().ip);
    const std::string literal = client.literal();
    TraceInput trace;
    trace.service = profile_.service;
    trace.hostname = profile_.hostname;
    trace.client_literal = literal;
    if (findings && findings->iprev.verdict == mailauth::IprevVerdict::pass)
        trace.client_name = findings->iprev.name;
    trace.greeting = &*core_->greeting();
    trace.transaction = &transaction;
    trace.authenticated = core_->identity().has_value();
    trace.tls_version = tls_facts_.version;
    trace.tls_cipher = tls_facts_.cipher;
    trace.time = time;
    std::string front;
    front.reserve(1024);
    // RFC 5321, 4.4: final delivery adds it; what only passes through must not have it.
    if (has_local(transaction)) front += write_return_path(transaction.mail.from);
    if (findings) front += write_results(*findings, profile_.hostname, client);
    front += write_received(trace);
    if (profile_.service == Service::submission)
        front += missing_fields(facts, transaction.id, profile_.hostname, time);
    return front;
}

ipc::DeliverMessage Session::delivery(const std::optional<Findings>& findings, bool junk, std::uint64_t size,
                                      Time time) const {
    ipc::DeliverMessage message;
    message.trace_id = core_->transaction().id;
    message.envelope = envelope_of(core_->transaction());
    message.origin.service =
        profile_.service == Service::submission ? ipc::Service::submission : ipc::Service::smtp;
    message.origin.client = stream_.peer();
    message.origin.helo = core_->greeting()->hello.name;
    message.origin.tls_version = tls_facts_.version;
    message.origin.tls_cipher = tls_facts_.cipher;
    if (core_->identity()) {
        message.origin.auth_account = core_->identity()->account;
        message.origin.auth_login = core_->identity()->login;
    }
    if (findings) message.verdict = summarize(*findings);
    message.size = size;
    message.received = time;
    message.junk = junk;
    return message;
}

void Session::note_refusal(std::string_view why, const smtp::Reply& reply, std::string_view verdict) const {
    (reply.transient() ? postponed : refused).add();
    const std::string from = to_string(core_->transaction().mail.from);
    const std::string said = reply.to_text();
    log::info("smtp.reject", {{"id", core_->transaction().id},
                              {"peer", client_ip_},
                              {"from", from},
                              {"why", why},
                              {"reply", said},
                              {"verdict", verdict}});
    worker_.deliver->record({.trace_id = core_->transaction().id,
                             .time = now(),
                             .stage = "refused",
                             .fields = {{"why", std::string(why)},
                                        {"from", from},
                                        {"peer", client_ip_},
                                        {"reply", said},
                                        {"verdict", std::string(verdict)}}});
}

}  // namespace mailstead::smtpd
