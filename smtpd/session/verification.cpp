#include "smtpd/session/verification.h"

namespace mailstead::smtpd {
namespace {

// What several lookups of one round share; each holds it, so that a round may be left.
struct Round {
    Round(boost::asio::io_context& context, std::size_t count)
        : done(context), answers(count), missing(count) {
        for (dns::AnyAnswer& answer : answers) answer = dns::AnyAnswer::failure("no answer in time");
    }
    net::Event done;
    mailauth::Answers answers;
    std::size_t missing;
};

net::Task<void> ask_one(std::shared_ptr<Round> round, std::size_t index, dns::Resolver& resolver,
                        dns::Question question) {
    dns::AnyAnswer answer = co_await resolver.resolve(std::move(question));
    round->answers[index] = std::move(answer);
    if (--round->missing == 0) round->done.notify();
}

mailauth::SpfInput spf_input(const VerificationInput& input) {
    return {.client = input.client,
            .helo = input.helo,
            .mail_from = input.mail_from,
            .receiver = input.receiver,
            .now = input.now};
}

}  // namespace

Verification::Verification(dns::Resolver& resolver, net::TaskGroup& background,
                           const VerificationInput& input)
    : resolver_(resolver),
      background_(background),
      idle_(background.context()),
      deadline_(Clock::now() + kTimeLimit),
      spf_(spf_input(input)),
      iprev_(input.client),
      dkim_(input.now) {}

void Verification::start() {
    begin();
    background_.spawn(look_up_sender(shared_from_this()));
    begin();
    background_.spawn(look_up_client(shared_from_this()));
}

void Verification::headers(std::string_view block) {
    dkim_.headers(block);
    if (dkim_.questions().empty()) return;
    begin();
    background_.spawn(look_up_keys(shared_from_this()));
}

void Verification::finished() {
    if (--running_ == 0) idle_.notify();
}

net::Task<void> Verification::look_up_sender(std::shared_ptr<Verification> self) {
    co_await self->drive(self->spf_);
    self->finished();
}
net::Task<void> Verification::look_up_client(std::shared_ptr<Verification> self) {
    co_await self->drive(self->iprev_);
    self->finished();
}
net::Task<void> Verification::look_up_keys(std::shared_ptr<Verification> self) {
    co_await self->drive(self->dkim_);
    self->finished();
}

template <class Machine>
net::Task<void> Verification::drive(Machine& machine) {
    while (!machine.questions().empty()) {
        mailauth::Questions questions = machine.questions();
        mailauth::Answers answers = co_await ask(std::move(questions));
        machine.answer(std::move(answers));
    }
}

net::Task<mailauth::Answers> Verification::ask(mailauth::Questions questions) {
    const auto left = std::chrono::duration_cast<net::Timeout>(deadline_ - Clock::now());
    const auto round = std::make_shared<Round>(background_.context(), questions.size());
    if (left <= net::Timeout::zero()) co_return std::move(round->answers);
    for (std::size_t i = 0; i < questions.size(); ++i) {
        background_.spawn(ask_one(round, i, resolver_, std::move(questions[i])));
    }
    const auto waited = co_await round->done.wait(left);
    (void)waited;  // what is missing says so itself
    mailauth::Answers answers = round->answers;
    co_return answers;
}

net::Task<Findings> Verification::finish(std::vector<std::string> from) {
    // The flag may stand from lookups that ended before others began.
    while (running_ > 0) {
        const auto waited = co_await idle_.wait(kTimeLimit + std::chrono::seconds(1));
        if (!waited) break;
    }
    Findings findings{.spf = spf_.result(), .iprev = iprev_.result(), .dkim = dkim_.results(), .dmarc = {}};
    std::vector<std::string_view> values(from.begin(), from.end());
    mailauth::Authors authors = mailauth::read_authors(values);
    mailauth::DmarcEvaluation dmarc(
        mailauth::DmarcInput::of(std::move(authors), findings.spf, findings.dkim));
    deadline_ = Clock::now() + kTimeLimit;
    co_await drive(dmarc);
    findings.dmarc = dmarc.result();
    co_return findings;
}

}  // namespace mailstead::smtpd
