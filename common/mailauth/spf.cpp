#include "common/mailauth/spf.h"

#include <algorithm>
#include <optional>

#include "common/base/text.h"
#include "common/mailauth/iprev.h"
#include "common/mailauth/spf_macro.h"
#include "common/mailauth/spf_record.h"

namespace mailstead::mailauth {
namespace {

// RFC 7208, 4.6.4
constexpr unsigned kMaxLookups = 10;
constexpr unsigned kMaxVoidLookups = 2;
constexpr std::size_t kMaxMxNames = 10;
constexpr std::size_t kMaxExplanation = 500;

// Keeps what a reply line may carry (RFC 7208, 6.2: an explanation is US-ASCII).
std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, kMaxExplanation)) {
        if (c >= 0x20 && c <= 0x7E) out += c;
    }
    return out;
}

}  // namespace

std::string_view to_string(SpfVerdict verdict) {
    switch (verdict) {
        case SpfVerdict::none:
            return "none";
        case SpfVerdict::neutral:
            return "neutral";
        case SpfVerdict::pass:
            return "pass";
        case SpfVerdict::fail:
            return "fail";
        case SpfVerdict::softfail:
            return "softfail";
        case SpfVerdict::temperror:
            return "temperror";
        case SpfVerdict::permerror:
            return "permerror";
    }
    return "none";
}

class SpfEvaluation::Machine {
public:
    Machine(SpfInput input, SpfIdentity identity);
    const Questions& questions() const { return questions_; }
    const SpfResult& result() const { return result_; }
    void answer(Answers answers);

private:
    // A record under evaluation. All but the first were included by the frame below; redirect replaces a
    // frame.
    struct Frame {
        std::string domain;
        SpfRecord record;
        std::size_t next = 0;
    };
    enum class Waiting : std::uint8_t {
        policy,
        addresses,
        exists,
        mx,
        mx_addresses,
        client_names,
        explanation
    };
    enum class Entry : std::uint8_t { initial, include, redirect };

    void enter(std::string domain, Entry entry);
    void run();
    void step();
    void start(const SpfTerm& term);
    void look_up(const SpfTerm& term, std::string domain);
    void match_client_name(std::string_view domain);
    bool need_client_names();

    void take_policy(dns::AnyAnswer answer);
    void take_addresses(const Answers& answers);
    void take_exists(const dns::AnyAnswer& answer);
    void take_mx(dns::AnyAnswer answer);
    void take_explanation(dns::AnyAnswer answer);

    void matched();
    void not_matched() { ++frames_.back().next; }
    void end_of_terms();
    void finish(SpfVerdict verdict, std::string reason);
    void finish_matched(SpfVerdict verdict);
    void ask_for_explanation();
    bool count_lookup();
    bool count_void(const dns::AnyAnswer& answer);

    const SpfTerm& term() const { return frames_.back().record.terms[frames_.back().next]; }
    dns::RecordType address_type() const {
        return input_.client.is_v4() ? dns::RecordType::a : dns::RecordType::aaaa;
    }
    dns::IpNetwork network_of(const dns::IpAddress& address) const {
        return {address, address.is_v4() ? term().prefix4 : term().prefix6};
    }
    void ask(std::string name, dns::RecordType type, Waiting waiting) {
        questions_.push_back({std::move(name), type});
        waiting_ = waiting;
    }
    MacroValues macro_values() const;
    std::string client_name() const;

    SpfInput input_;
    SpfResult result_;
    std::string local_part_ = "postmaster";
    std::string sender_domain_;
    Questions questions_;
    Waiting waiting_ = Waiting::policy;
    Entry entry_ = Entry::initial;
    std::string entering_;  // whose policy record was asked for
    std::vector<Frame> frames_;
    std::optional<IprevCheck> client_names_;
    bool counted_ = false;  // the lookup of the current term, which may start twice
    unsigned void_lookups_ = 0;
    bool finished_ = false;
    std::string explanation_spec_;
    mutable std::string client_name_;
};

SpfEvaluation::Machine::Machine(SpfInput input, SpfIdentity identity) : input_(std::move(input)) {
    input_.client = input_.client.unmapped();
    result_.identity = input_.mail_from ? identity : SpfIdentity::helo;
    std::optional<Domain> domain;
    if (result_.identity == SpfIdentity::mail_from) {
        domain = input_.mail_from->domain();
        // RFC 7208, 4.3: without a local part it is postmaster.
        if (const std::string& local = input_.mail_from->local().decoded(); !local.empty())
            local_part_ = local;
    } else if (auto helo = Domain::parse(input_.helo)) {
        domain = *helo;
    }
    // RFC 7208, 4.3: no check of what is no multi-label name.
    if (!domain || domain->is_literal() || domain->ascii().find('.') == std::string::npos) {
        finish(SpfVerdict::none, "no domain name to check");
        return;
    }
    // What is said if nobody brings the answers to an end.
    result_.verdict = SpfVerdict::temperror;
    result_.reason = "the DNS did not answer";
    sender_domain_ = domain->ascii();
    result_.domain = sender_domain_;
    result_.sender = local_part_ + "@" + sender_domain_;
    enter(sender_domain_, Entry::initial);
}

void SpfEvaluation::Machine::answer(Answers answers) {
    if (questions_.empty() || answers.size() != questions_.size()) return;
    if (waiting_ == Waiting::client_names) {
        client_names_->answer(std::move(answers));
        questions_ = client_names_->questions();
        if (questions_.empty() && !explanation_spec_.empty()) ask_for_explanation();
        run();
        return;
    }
    questions_.clear();
    switch (waiting_) {
        case Waiting::policy:
            take_policy(std::move(answers.front()));
            break;
        case Waiting::addresses:
        case Waiting::mx_addresses:
            take_addresses(answers);
            break;
        case Waiting::exists:
            take_exists(answers.front());
            break;
        case Waiting::mx:
            take_mx(std::move(answers.front()));
            break;
        case Waiting::explanation:
            take_explanation(std::move(answers.front()));
            break;
        case Waiting::client_names:
            break;
    }
    run();
}

void SpfEvaluation::Machine::run() {
    while (!finished_ && questions_.empty()) step();
}

void SpfEvaluation::Machine::step() {
    const Frame& frame = frames_.back();
    if (frame.next == frame.record.terms.size()) {
        end_of_terms();
    } else {
        start(frame.record.terms[frame.next]);
    }
}

void SpfEvaluation::Machine::enter(std::string domain, Entry entry) {
    entry_ = entry;
    entering_ = std::move(domain);
    ask(entering_, dns::RecordType::txt, Waiting::policy);
}

// RFC 7208, 4.4 and 4.5; what `none` means to include and redirect: 5.2 and 6.1.
void SpfEvaluation::Machine::take_policy(dns::AnyAnswer answer) {
    if (answer.failed()) return finish(SpfVerdict::temperror, "DNS failure for " + entering_);
    if (entry_ != Entry::initial && !count_void(answer)) return;
    std::vector<std::string> records;
    for (dns::Txt& txt : dns::narrow<dns::Txt>(std::move(answer)).records) {
        if (is_spf_record(txt.text)) records.push_back(std::move(txt.text));
    }
    if (records.size() > 1) return finish(SpfVerdict::permerror, "more than one SPF record at " + entering_);
    if (records.empty()) {
        const auto verdict = entry_ == Entry::initial ? SpfVerdict::none : SpfVerdict::permerror;
        return finish(verdict, "no SPF record at " + entering_);
    }
    auto record = parse_spf_record(records.front());
    if (!record) {
        const ParseError error = record.error();
        return finish(SpfVerdict::permerror, std::string(error.what) + " at byte " +
                                                 std::to_string(error.offset) + " of the SPF record at " +
                                                 entering_);
    }
    if (entry_ == Entry::redirect) frames_.pop_back();
    frames_.push_back({entering_, std::move(*record), 0});
}

void SpfEvaluation::Machine::start(const SpfTerm& term) {
    switch (term.mechanism) {
        case SpfMechanism::all:
            return matched();
        case SpfMechanism::ip4:
        case SpfMechanism::ip6:
            return term.network.contains(input_.client) ? matched() : not_matched();
        default:
            break;
    }
    if (!counted_ && !count_lookup()) return;
    counted_ = true;
    const bool by_name = term.mechanism == SpfMechanism::ptr || mentions_client_name(term.domain_spec);
    if (by_name && need_client_names()) return;
    counted_ = false;
    if (term.domain_spec.empty()) return look_up(term, frames_.back().domain);
    auto domain = expand_domain(term.domain_spec, macro_values());
    if (domain) return look_up(term, std::move(*domain));
    // RFC 7208, 4.8 and 5.2: check_host() of what is no name gives none, which is a permerror for include;
    // others do not match.
    if (term.mechanism == SpfMechanism::include)
        return finish(SpfVerdict::permerror, "no domain name in " + term.text);
    not_matched();
}

void SpfEvaluation::Machine::look_up(const SpfTerm& term, std::string domain) {
    switch (term.mechanism) {
        case SpfMechanism::include:
            return enter(std::move(domain), Entry::include);
        case SpfMechanism::a:
            return ask(std::move(domain), address_type(), Waiting::addresses);
        case SpfMechanism::mx:
            return ask(std::move(domain), dns::RecordType::mx, Waiting::mx);
        // RFC 7208, 5.7: type A even for an IPv6 client.
        case SpfMechanism::exists:
            return ask(std::move(domain), dns::RecordType::a, Waiting::exists);
        case SpfMechanism::ptr:
            return match_client_name(domain);
        default:
            return not_matched();
    }
}

// Asks for the names of the client once; true while that is under way.
bool SpfEvaluation::Machine::need_client_names() {
    if (client_names_) return false;
    client_names_.emplace(input_.client);
    questions_ = client_names_->questions();
    waiting_ = Waiting::client_names;
    return true;
}

// RFC 7208, 5.5: a DNS error is no match.
void SpfEvaluation::Machine::match_client_name(std::string_view domain) {
    const std::string suffix = "." + std::string(domain);
    for (const std::string& name : client_names_->result().confirmed_names) {
        if (text::iequals(name, domain) || name.ends_with(suffix)) return matched();
    }
    not_matched();
}

void SpfEvaluation::Machine::take_addresses(const Answers& answers) {
    if (waiting_ == Waiting::addresses && !count_void(answers.front())) return;
    bool failed = false;
    for (const dns::AnyAnswer& answer : answers) {
        failed = failed || answer.failed();
        for (const dns::Record& record : answer.records) {
            const auto* address = std::get_if<dns::IpAddress>(&record);
            if (address != nullptr && network_of(*address).contains(input_.client)) return matched();
        }
    }
    if (failed) return finish(SpfVerdict::temperror, "DNS failure in " + term().text);
    not_matched();
}

void SpfEvaluation::Machine::take_exists(const dns::AnyAnswer& answer) {
    if (answer.failed()) return finish(SpfVerdict::temperror, "DNS failure in " + term().text);
    if (!count_void(answer)) return;
    answer.found() ? matched() : not_matched();
}

// RFC 7208, 5.4: no fallback to the address of the domain; more than ten names are a permerror.
void SpfEvaluation::Machine::take_mx(dns::AnyAnswer answer) {
    if (answer.failed()) return finish(SpfVerdict::temperror, "DNS failure in " + term().text);
    if (!count_void(answer)) return;
    const auto exchanges = dns::narrow<dns::Mx>(std::move(answer)).records;
    if (exchanges.size() > kMaxMxNames)
        return finish(SpfVerdict::permerror, "more than 10 names in " + term().text);
    for (const dns::Mx& mx : exchanges) {
        if (dns::is_askable(mx.exchange)) ask(mx.exchange, address_type(), Waiting::mx_addresses);
    }
    if (questions_.empty()) not_matched();
}

// A match inside an include that says pass is a match of the include itself (RFC 7208, 5.2).
void SpfEvaluation::Machine::matched() {
    result_.mechanism = term().text;
    result_.policy_domain = frames_.back().domain;
    while (true) {
        const SpfVerdict verdict = term().on_match;
        if (frames_.size() == 1) return finish_matched(verdict);
        frames_.pop_back();
        if (verdict != SpfVerdict::pass) {
            result_.mechanism.clear();
            result_.policy_domain.clear();
            return not_matched();
        }
    }
}

// RFC 7208, 4.7 and 6.1
void SpfEvaluation::Machine::end_of_terms() {
    const Frame& frame = frames_.back();
    if (!frame.record.redirect.empty()) {
        if (!counted_ && !count_lookup()) return;
        counted_ = true;
        if (mentions_client_name(frame.record.redirect) && need_client_names()) return;
        counted_ = false;
        auto domain = expand_domain(frame.record.redirect, macro_values());
        if (!domain)
            return finish(SpfVerdict::permerror, "no domain name in redirect=" + frame.record.redirect);
        return enter(std::move(*domain), Entry::redirect);
    }
    if (frames_.size() == 1) {
        result_.mechanism = "default";
        result_.policy_domain = frame.domain;
        return finish_matched(SpfVerdict::neutral);
    }
    frames_.pop_back();
    not_matched();
}

void SpfEvaluation::Machine::finish_matched(SpfVerdict verdict) {
    std::string reason = input_.client.to_string();
    reason += verdict == SpfVerdict::pass ? " is allowed by " : " meets ";
    reason += result_.mechanism == "default" ? "no term" : result_.mechanism;
    reason += " of " + result_.policy_domain;
    finish(verdict, std::move(reason));
    if (verdict != SpfVerdict::fail || frames_.back().record.explanation.empty()) return;
    finished_ = false;
    explanation_spec_ = frames_.back().record.explanation;
    ask_for_explanation();
}

void SpfEvaluation::Machine::finish(SpfVerdict verdict, std::string reason) {
    result_.verdict = verdict;
    result_.reason = std::move(reason);
    finished_ = true;
}

// RFC 7208, 6.2: whatever goes wrong here, there is just no explanation.
void SpfEvaluation::Machine::ask_for_explanation() {
    if (mentions_client_name(explanation_spec_) && need_client_names()) return;
    if (auto domain = expand_domain(explanation_spec_, macro_values())) {
        ask(std::move(*domain), dns::RecordType::txt, Waiting::explanation);
    } else {
        finished_ = true;
    }
}

void SpfEvaluation::Machine::take_explanation(dns::AnyAnswer answer) {
    finished_ = true;
    const auto texts = dns::narrow<dns::Txt>(std::move(answer)).records;
    if (texts.size() != 1 || !text::is_ascii(texts.front().text)) return;
    const std::string& text = texts.front().text;
    // %{p} in the text is not worth a lookup of its own: it gives what is known, or `unknown` (RFC 7208, 7.3
    // discourages it).
    if (const auto expanded = expand_macros(text, macro_values(), MacroUse::explanation)) {
        result_.explanation = printable(*expanded);
    }
}

bool SpfEvaluation::Machine::count_lookup() {
    if (result_.lookups == kMaxLookups) {
        finish(SpfVerdict::permerror, "more than 10 terms that need the DNS");
        return false;
    }
    ++result_.lookups;
    return true;
}

bool SpfEvaluation::Machine::count_void(const dns::AnyAnswer& answer) {
    if (answer.absent() && ++void_lookups_ > kMaxVoidLookups) {
        finish(SpfVerdict::permerror, "more than 2 lookups that found nothing");
        return false;
    }
    return true;
}

// RFC 7208, 7.3 on "p": the checked domain itself if confirmed, else a name below it, else any, else
// `unknown`.
std::string SpfEvaluation::Machine::client_name() const {
    if (!client_names_ || client_names_->result().confirmed_names.empty()) return "unknown";
    const auto& names = client_names_->result().confirmed_names;
    const std::string& domain = frames_.back().domain;
    if (std::find(names.begin(), names.end(), domain) != names.end()) return domain;
    const auto below = std::find_if(names.begin(), names.end(),
                                    [&](const std::string& name) { return name.ends_with("." + domain); });
    return below == names.end() ? names.front() : *below;
}

MacroValues SpfEvaluation::Machine::macro_values() const {
    client_name_ = client_name();
    MacroValues values;
    values.local_part = local_part_;
    values.sender_domain = sender_domain_;
    values.domain = frames_.back().domain;
    values.helo = input_.helo;
    values.receiver = input_.receiver;
    values.client_name = client_name_;
    values.client = input_.client;
    values.now = input_.now;
    return values;
}

SpfEvaluation::SpfEvaluation(SpfInput input, SpfIdentity identity)
    : machine_(std::make_unique<Machine>(std::move(input), identity)) {}
SpfEvaluation::~SpfEvaluation() = default;
SpfEvaluation::SpfEvaluation(SpfEvaluation&&) noexcept = default;
SpfEvaluation& SpfEvaluation::operator=(SpfEvaluation&&) noexcept = default;

const Questions& SpfEvaluation::questions() const {
    return machine_->questions();
}
void SpfEvaluation::answer(Answers answers) {
    machine_->answer(std::move(answers));
}
const SpfResult& SpfEvaluation::result() const {
    return machine_->result();
}

}  // namespace mailstead::mailauth
