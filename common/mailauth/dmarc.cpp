#include "common/mailauth/dmarc.h"

#include <algorithm>
#include <map>

#include "common/base/text.h"

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kMaxAuthorDomains = 3;
constexpr std::size_t kMaxIdentifiers = 9;  // eight signatures and SPF

// What `_dmarc.NAME` holds.
struct Entry {
    enum class Kind : std::uint8_t { nothing, record, failure };
    Kind kind = Kind::nothing;
    DmarcRecord record;

    bool has_record() const { return kind == Kind::record; }
    // RFC 9989, 4.10: the walk goes no further up.
    bool stops() const { return has_record() && record.public_suffix != PublicSuffix::unknown; }
};

// RFC 9989, 4.10: other TXT records are discarded; several DMARC records are all discarded.
Entry read_entry(dns::AnyAnswer answer) {
    Entry entry;
    if (answer.failed()) {
        entry.kind = Entry::Kind::failure;
        return entry;
    }
    std::vector<std::string> texts;
    for (dns::Txt& txt : dns::narrow<dns::Txt>(std::move(answer)).records) {
        if (is_dmarc_record(txt.text)) texts.push_back(std::move(txt.text));
    }
    if (texts.size() != 1) return entry;
    if (auto record = parse_dmarc_record(texts.front())) {
        entry.kind = Entry::Kind::record;
        entry.record = std::move(*record);
    }
    return entry;
}

bool is_within(std::string_view name, std::string_view top) {
    return name == top ||
           (name.size() > top.size() && name.ends_with(top) && name[name.size() - top.size() - 1] == '.');
}

// The name one label longer than `top` on the way to `name`, which is below it.
std::string one_below(std::string_view name, std::string_view top) {
    const std::string_view above = name.substr(0, name.size() - top.size() - 1);
    const std::size_t dot = above.rfind('.');
    return std::string(name.substr(dot == above.npos ? 0 : dot + 1));
}

DmarcPolicy one_step_less(DmarcPolicy policy) {
    return policy == DmarcPolicy::reject ? DmarcPolicy::quarantine : DmarcPolicy::none;
}

// With several authors the worst result stands for the message.
int weight(const DmarcResult& result) {
    switch (result.verdict) {
        case DmarcVerdict::permerror:
            return 7;
        case DmarcVerdict::fail:
            if (result.apply == DmarcPolicy::reject) return 6;
            return result.apply == DmarcPolicy::quarantine ? 5 : 3;
        case DmarcVerdict::temperror:
            return 4;
        case DmarcVerdict::none:
            return 2;
        case DmarcVerdict::pass:
            return 1;
    }
    return 0;
}

}  // namespace

class DmarcEvaluation::Machine {
public:
    explicit Machine(const DmarcInput& input);
    const Questions& questions() const { return questions_; }
    const DmarcResult& result() const { return result_; }
    void answer(Answers answers);

private:
    // What one walk says.
    struct Walk {
        enum class State : std::uint8_t { asking, failed, known };
        State state = State::asking;
        std::string organizational_domain;
        std::string public_suffix;  // where psd=y was found above the start; empty: nowhere
    };
    enum class Check : std::uint8_t { asking, failed, aligned, not_aligned };

    void advance();
    std::optional<DmarcResult> decide(const std::string& author);
    std::optional<DmarcResult> judge(const std::string& author, const std::string& policy_domain,
                                     const std::string& organization);
    std::optional<DmarcPolicy> published_policy(const std::string& author, const std::string& policy_domain);
    Check check_identifiers(const std::string& author, const std::string& organization, Alignment mode,
                            const std::vector<std::string>& identifiers);
    Check check_identifier(const std::string& author, const std::string& organization, Alignment mode,
                           const std::string& identifier);
    Walk walk(const std::string& start);
    std::string policy_domain_of(const std::string& author, const Walk& walk) const;
    bool authenticated_itself(const std::string& author) const;
    bool may_be_unsettled(const std::string& author, const std::string& organization) const;

    const Entry* find(const std::string& name) const {
        const auto at = entries_.find(name);
        return at == entries_.end() ? nullptr : &at->second;
    }
    bool has_record(const std::string& name) const {
        const Entry* entry = find(name);
        return entry != nullptr && entry->has_record();
    }
    void ask_for(const std::string& name);

    std::vector<std::string> authors_;
    std::size_t author_ = 0;
    std::vector<std::string> spf_;  // the domain of an SPF pass, or nothing
    std::vector<std::string> dkim_;
    std::vector<std::string> unsettled_;
    Questions questions_;
    std::vector<std::string>
        asked_names_;  // one for each question; empty for the question whether the author exists
    std::map<std::string, Entry> entries_;
    std::map<std::string, bool> exists_;
    DmarcResult result_;
    bool any_result_ = false;
    bool all_authors_read_ = true;
};

DmarcEvaluation::Machine::Machine(const DmarcInput& input) {
    for (const Domain& domain : input.authors.domains) authors_.push_back(domain.ascii());
    if (input.spf == SpfVerdict::pass && !input.spf_domain.empty())
        spf_.push_back(text::lower(input.spf_domain));
    for (const std::string& domain : input.dkim_domains) {
        if (dkim_.size() + 1 < kMaxIdentifiers) dkim_.push_back(text::lower(domain));
    }
    for (const std::string& domain : input.unsettled_domains) unsettled_.push_back(text::lower(domain));
    if (authors_.empty() || authors_.size() > kMaxAuthorDomains) {
        result_.verdict = DmarcVerdict::permerror;
        result_.apply = DmarcPolicy::quarantine;
        result_.reason = authors_.empty() ? "no author domain in From" : "more than 3 author domains in From";
        return;
    }
    all_authors_read_ = input.authors.complete;
    // What is said if nobody brings the answers to an end.
    result_.verdict = DmarcVerdict::temperror;
    result_.reason = "the DNS did not answer";
    advance();
}

void DmarcEvaluation::Machine::answer(Answers answers) {
    if (questions_.empty() || answers.size() != questions_.size()) return;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (asked_names_[i].empty()) {
            // RFC 9989, 3.2.13 by way of RFC 8020: only NXDOMAIN means that a name does not exist.
            exists_[questions_[i].name] = answers[i].outcome != dns::Outcome::no_such_name;
        } else {
            entries_[asked_names_[i]] = read_entry(std::move(answers[i]));
        }
    }
    questions_.clear();
    asked_names_.clear();
    advance();
}

void DmarcEvaluation::Machine::advance() {
    for (; author_ < authors_.size(); ++author_) {
        auto result = decide(authors_[author_]);
        if (!result) return;
        result->domain = authors_[author_];
        if (!any_result_ || weight(*result) > weight(result_)) result_ = std::move(*result);
        any_result_ = true;
    }
    // An author whom we cannot read is still shown to people by some program.
    const bool let_through = result_.verdict == DmarcVerdict::pass || result_.verdict == DmarcVerdict::none;
    if (all_authors_read_ || !let_through) return;
    result_.verdict = DmarcVerdict::permerror;
    result_.apply = DmarcPolicy::quarantine;
    result_.reason = "not every author in From could be checked";
}

void DmarcEvaluation::Machine::ask_for(const std::string& name) {
    if (std::find(asked_names_.begin(), asked_names_.end(), name) != asked_names_.end()) return;
    const std::string owner = "_dmarc." + name;
    if (!dns::is_askable(owner)) {
        entries_[name] = Entry{};
        return;
    }
    asked_names_.push_back(name);
    questions_.push_back({owner, dns::RecordType::txt});
}

bool DmarcEvaluation::Machine::authenticated_itself(const std::string& author) const {
    return std::find(spf_.begin(), spf_.end(), author) != spf_.end() ||
           std::find(dkim_.begin(), dkim_.end(), author) != dkim_.end();
}

// Without an organizational domain at hand, any domain on the same branch counts.
bool DmarcEvaluation::Machine::may_be_unsettled(const std::string& author,
                                                const std::string& organization) const {
    return std::any_of(unsettled_.begin(), unsettled_.end(), [&](const std::string& domain) {
        if (!organization.empty()) return is_within(domain, organization);
        return is_within(domain, author) || is_within(author, domain);
    });
}

// Decides from the entries that are there, or asks for more and gives nothing.
std::optional<DmarcResult> DmarcEvaluation::Machine::decide(const std::string& author) {
    if (find(author) == nullptr) ask_for(author);
    if (find(author) == nullptr) return std::nullopt;
    // RFC 9989, 4.10.2: no walk is needed when the author domain has a record and was authenticated itself,
    // nor when nothing was.
    const bool nothing_passed = spf_.empty() && dkim_.empty();
    if (has_record(author) && (authenticated_itself(author) || nothing_passed))
        return judge(author, author, "");

    const Walk walked = walk(author);
    if (walked.state == Walk::State::asking) return std::nullopt;
    DmarcResult result;
    if (walked.state == Walk::State::failed) {
        result.verdict = DmarcVerdict::temperror;
        result.reason = "DNS failure on the walk from " + author;
        return result;
    }
    const std::string policy_domain = policy_domain_of(author, walked);
    if (policy_domain.empty()) {
        result.verdict = DmarcVerdict::none;
        result.organizational_domain = walked.organizational_domain;
        result.reason = "no DMARC record for " + author;
        return result;
    }
    return judge(author, policy_domain, walked.organizational_domain);
}

// RFC 9989, 4.10 and 4.10.2
DmarcEvaluation::Machine::Walk DmarcEvaluation::Machine::walk(const std::string& start) {
    Walk result;
    std::string fewest_labels;
    const std::vector<std::string> names = tree_walk(start);
    for (std::size_t i = 0; i < names.size(); ++i) {
        const Entry* entry = find(names[i]);
        if (entry == nullptr) {
            // All that is left is asked for at once: one round, and the names near the root are in every
            // cache.
            for (std::size_t rest = i; rest < names.size(); ++rest) {
                if (find(names[rest]) == nullptr) ask_for(names[rest]);
            }
            if (!questions_.empty()) return result;
            entry = find(names[i]);
        }
        if (entry->kind == Entry::Kind::failure) {
            result.state = Walk::State::failed;
            return result;
        }
        if (!entry->has_record()) continue;
        if (entry->record.public_suffix == PublicSuffix::yes && i > 0) {
            result.public_suffix = names[i];
            result.organizational_domain = one_below(start, names[i]);
            break;
        }
        fewest_labels = names[i];
        if (entry->stops()) break;
    }
    result.state = Walk::State::known;
    if (result.organizational_domain.empty()) {
        result.organizational_domain = fewest_labels.empty() ? start : fewest_labels;
    }
    return result;
}

// RFC 9989, 4.10.1: the author domain, its organizational domain, its public suffix domain.
std::string DmarcEvaluation::Machine::policy_domain_of(const std::string& author, const Walk& walk) const {
    for (const std::string& name : {author, walk.organizational_domain, walk.public_suffix}) {
        if (!name.empty() && has_record(name)) return name;
    }
    return {};
}

DmarcEvaluation::Machine::Check DmarcEvaluation::Machine::check_identifier(const std::string& author,
                                                                           const std::string& organization,
                                                                           Alignment mode,
                                                                           const std::string& identifier) {
    if (identifier == author) return Check::aligned;
    // Two names have one organizational domain only if both lie within it: others need no walk.
    if (mode == Alignment::strict || organization.empty() || !is_within(identifier, organization)) {
        return Check::not_aligned;
    }
    const Walk walked = walk(identifier);
    if (walked.state == Walk::State::asking) return Check::asking;
    if (walked.state == Walk::State::failed) return Check::failed;
    return walked.organizational_domain == organization ? Check::aligned : Check::not_aligned;
}

DmarcEvaluation::Machine::Check DmarcEvaluation::Machine::check_identifiers(
    const std::string& author, const std::string& organization, Alignment mode,
    const std::vector<std::string>& identifiers) {
    Check worst = Check::not_aligned;
    for (const std::string& identifier : identifiers) {
        const Check check = check_identifier(author, organization, mode, identifier);
        if (check == Check::aligned) return check;
        if (check == Check::asking || worst == Check::not_aligned) worst = check;
    }
    return worst;
}

// RFC 9989, 4.10.1; nothing while it is asked whether the author domain exists.
std::optional<DmarcPolicy> DmarcEvaluation::Machine::published_policy(const std::string& author,
                                                                      const std::string& policy_domain) {
    const DmarcRecord& record = find(policy_domain)->record;
    if (policy_domain == author) return record.policy;
    const DmarcPolicy existing = record.subdomain_policy.value_or(record.policy);
    if (!record.nonexistent_policy || *record.nonexistent_policy == existing) return existing;
    const auto known = exists_.find(author);
    if (known != exists_.end()) return known->second ? existing : *record.nonexistent_policy;
    questions_.push_back({author, dns::RecordType::a});
    asked_names_.emplace_back();
    return std::nullopt;
}

std::optional<DmarcResult> DmarcEvaluation::Machine::judge(const std::string& author,
                                                           const std::string& policy_domain,
                                                           const std::string& organization) {
    const DmarcRecord& record = find(policy_domain)->record;
    const Check spf = check_identifiers(author, organization, record.spf, spf_);
    const Check dkim = check_identifiers(author, organization, record.dkim, dkim_);
    const bool aligned = spf == Check::aligned || dkim == Check::aligned;
    if (!aligned && (spf == Check::asking || dkim == Check::asking)) return std::nullopt;
    // An alignment that would only add to a pass is not worth its lookups.
    questions_.clear();
    asked_names_.clear();

    DmarcResult result;
    result.record = record;
    result.testing = record.testing;
    result.policy_domain = policy_domain;
    result.organizational_domain = organization;
    result.spf_aligned = spf == Check::aligned;
    result.dkim_aligned = dkim == Check::aligned;
    result.published =
        policy_domain == author ? record.policy : record.subdomain_policy.value_or(record.policy);
    if (aligned) {
        result.verdict = DmarcVerdict::pass;
        result.reason = result.dkim_aligned ? "DKIM is aligned with " : "SPF is aligned with ";
        result.reason += author;
        return result;
    }
    if (spf == Check::failed || dkim == Check::failed) {
        result.verdict = DmarcVerdict::temperror;
        result.reason = "DNS failure while aligning with " + author;
        return result;
    }
    if (may_be_unsettled(author, organization)) {
        result.verdict = DmarcVerdict::temperror;
        result.reason = "DNS failure in SPF or DKIM for " + author;
        return result;
    }
    const auto published = published_policy(author, policy_domain);
    if (!published) return std::nullopt;
    result.verdict = DmarcVerdict::fail;
    result.published = *published;
    result.apply = record.testing ? one_step_less(*published) : *published;
    result.reason = spf_.empty() && dkim_.empty() ? "neither SPF nor DKIM passed"
                                                  : "nothing that passed is aligned with " + author;
    return result;
}

DmarcEvaluation::DmarcEvaluation(const DmarcInput& input) : machine_(std::make_unique<Machine>(input)) {}
DmarcEvaluation::~DmarcEvaluation() = default;
DmarcEvaluation::DmarcEvaluation(DmarcEvaluation&&) noexcept = default;
DmarcEvaluation& DmarcEvaluation::operator=(DmarcEvaluation&&) noexcept = default;

const Questions& DmarcEvaluation::questions() const {
    return machine_->questions();
}
void DmarcEvaluation::answer(Answers answers) {
    machine_->answer(std::move(answers));
}
const DmarcResult& DmarcEvaluation::result() const {
    return machine_->result();
}

}  // namespace mailstead::mailauth
