#include "admin/mail_check.h"

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "common/dns/cares_resolver.h"
#include "common/mime/headers.h"

namespace mailstead::admin {
namespace {

// Asks what the machines want to know, one question at a time.
class Asker {
public:
    static Outcome<std::unique_ptr<Asker>> make(const DnsChoice& dns) {
        auto asker = std::unique_ptr<Asker>(new Asker);
        dns::ResolverOptions options;
        for (const settings::Endpoint& server : dns.servers) {
            const auto ip = net::parse_ip(server.ip);
            if (!ip) return Failure(EX_USAGE, server.ip + " is not an address");
            options.servers.push_back({*ip, server.port});
        }
        TRY(resolver, dns::CaresResolver::create(asker->context_, options));
        asker->resolver_ = std::move(resolver);
        return asker;
    }

    template <class Machine>
    void settle(Machine& machine) {
        mailauth::drive(machine, [this](const dns::Question& question) { return ask(question); });
    }

private:
    dns::AnyAnswer ask(const dns::Question& question) {
        std::optional<dns::AnyAnswer> answer;
        boost::asio::co_spawn(context_, resolver_->resolve(question),
                              [&](const std::exception_ptr& thrown, dns::AnyAnswer given) {
                                  answer = thrown ? dns::AnyAnswer::failure("the lookup broke off")
                                                  : std::move(given);
                                  context_.stop();
                              });
        context_.restart();
        context_.run();
        return answer ? *std::move(answer) : dns::AnyAnswer::failure("no answer");
    }

    boost::asio::io_context context_{1};
    std::unique_ptr<dns::CaresResolver> resolver_;
};

// As it went over the wire: what was saved with bare LFs gets its CRs back.
std::string with_crlf(std::string_view message) {
    std::string out;
    out.reserve(message.size() + message.size() / 32);
    char before = '\0';
    for (const char c : message) {
        if (c == '\n' && before != '\r') out += '\r';
        out += c;
        before = c;
    }
    return out;
}

std::vector<mailauth::DkimResult> verify(Asker& asker, std::string_view message) {
    const std::size_t header_size = mime::header_size(message);
    mailauth::DkimVerifier verifier(now());
    verifier.headers(message.substr(0, header_size));
    verifier.body(message.substr(header_size));
    verifier.end_of_body();
    asker.settle(verifier);
    return verifier.results();
}

mailauth::Authors authors_of(std::string_view message) {
    std::vector<std::string> values;
    mime::HeaderReader reader(message);
    while (const auto field = reader.next()) {
        if (field->is("From")) values.push_back(field->value());
    }
    const std::vector<std::string_view> views(values.begin(), values.end());
    return mailauth::read_authors(views);
}

}  // namespace

Outcome<mailauth::SpfResult> check_spf(const DnsChoice& dns, mailauth::SpfInput input) {
    TRY(asker, Asker::make(dns));
    mailauth::SpfEvaluation evaluation(std::move(input));
    asker->settle(evaluation);
    return evaluation.result();
}

Outcome<std::vector<mailauth::DkimResult>> check_dkim(const DnsChoice& dns, std::string_view message) {
    TRY(asker, Asker::make(dns));
    return verify(*asker, with_crlf(message));
}

Outcome<DmarcCheck> check_dmarc(const DnsChoice& dns, mailauth::SpfInput input, std::string_view message) {
    TRY(asker, Asker::make(dns));
    const std::string wire = with_crlf(message);
    mailauth::SpfEvaluation spf(std::move(input));
    asker->settle(spf);
    std::vector<mailauth::DkimResult> dkim = verify(*asker, wire);
    mailauth::DmarcEvaluation dmarc(mailauth::DmarcInput::of(authors_of(wire), spf.result(), dkim));
    asker->settle(dmarc);
    return DmarcCheck{spf.result(), std::move(dkim), dmarc.result()};
}

}  // namespace mailstead::admin
