#include <algorithm>

#include "common/mailauth/dkim.h"
#include "common/mailauth/dkim_canonical.h"
#include "common/mailauth/dkim_signature.h"

namespace mailstead::mailauth {

std::string_view to_string(DkimVerdict verdict) {
    switch (verdict) {
        case DkimVerdict::pass:
            return "pass";
        case DkimVerdict::fail:
            return "fail";
        case DkimVerdict::neutral:
            return "neutral";
        case DkimVerdict::policy:
            return "policy";
        case DkimVerdict::temperror:
            return "temperror";
        case DkimVerdict::permerror:
            return "permerror";
    }
    return "permerror";
}

class DkimVerifier::Machine {
public:
    Machine(Time now, DkimVerifyOptions options)
        : now_(static_cast<std::uint64_t>(std::max<std::int64_t>(
              0, std::chrono::duration_cast<Seconds>(now.time_since_epoch()).count()))),
          options_(options) {}

    void headers(std::string_view block);
    void body(std::string_view chunk);
    void end_of_body();
    const Questions& questions() const { return questions_; }
    void answer(Answers answers);
    std::vector<DkimResult> results() const;

private:
    // One signature under verification.
    struct Candidate {
        DkimSignature signature;
        std::optional<DkimVerdict> refusal;
        std::string reason;
        std::string header_digest;
        std::size_t question = 0;
        std::size_t hasher = 0;
        std::size_t hash = 0;
    };
    void take(const FieldIndex& index, std::size_t place);
    void check_times(Candidate& candidate) const;
    std::size_t ask_for_key(const DkimSignature& signature);
    std::size_t hasher_for(Canonicalization form);

    DkimResult judge(const Candidate& candidate) const;
    void judge_key(const Candidate& candidate, DkimResult& result) const;
    void judge_record(const Candidate& candidate, const DkimKeyRecord& record, DkimResult& result) const;
    void judge_body(const Candidate& candidate, DkimResult& result) const;

    std::uint64_t now_;
    DkimVerifyOptions options_;
    std::vector<Candidate> candidates_;
    std::vector<BodyHasher> hashers_;
    Questions questions_;
    Questions asked_;
    Answers answers_;
    bool body_ended_ = false;
};

void DkimVerifier::Machine::headers(std::string_view block) {
    const FieldIndex index(block);
    for (const std::size_t place : index.find("dkim-signature")) {
        if (candidates_.size() == options_.max_signatures) break;
        take(index, place);
    }
    asked_ = questions_;
}

void DkimVerifier::Machine::take(const FieldIndex& index, std::size_t place) {
    const mime::HeaderField& field = index.fields()[place];
    DkimSignatureReading reading = read_dkim_signature(field.body);
    Candidate candidate;
    candidate.signature = std::move(reading.signature);
    candidate.refusal = reading.refusal;
    candidate.reason = reading.reason;
    if (!candidate.refusal) check_times(candidate);
    if (!candidate.refusal) {
        const DkimSignature& signature = candidate.signature;
        // RFC 6376, 3.7: the fields of h= in its order, then this field without the value of b= and without
        // CRLF.
        std::string text;
        index.append_selected(text, signature.fields, place, signature.header_form);
        const std::string body = without_signature_value(field.body);
        const std::string raw =
            std::string(field.raw.substr(0, static_cast<std::size_t>(field.body.data() - field.raw.data()))) +
            body;
        append_canonical(text, {field.name, body, raw}, signature.header_form);
        text.resize(text.size() - 2);
        Sha256 sha;
        sha.update(text);
        candidate.header_digest = sha.finish();
        candidate.question = ask_for_key(signature);
        candidate.hasher = hasher_for(signature.body_form);
        candidate.hash = hashers_[candidate.hasher].want(signature.body_length);
    }
    candidates_.push_back(std::move(candidate));
}

// RFC 6376, 3.5 on t= and x=.
void DkimVerifier::Machine::check_times(Candidate& candidate) const {
    const DkimSignature& signature = candidate.signature;
    if (signature.expires_at && *signature.expires_at < now_) {
        candidate.refusal = DkimVerdict::fail;
        candidate.reason = "signature has expired";
    } else if (signature.signed_at &&
               *signature.signed_at > now_ + static_cast<std::uint64_t>(options_.clock_skew.count())) {
        candidate.refusal = DkimVerdict::fail;
        candidate.reason = "signature is from the future";
    }
}

std::size_t DkimVerifier::Machine::ask_for_key(const DkimSignature& signature) {
    dns::Question question{signature.selector + "._domainkey." + signature.domain, dns::RecordType::txt};
    const auto same = std::find(questions_.begin(), questions_.end(), question);
    const auto number = static_cast<std::size_t>(same - questions_.begin());
    if (same == questions_.end()) questions_.push_back(std::move(question));
    return number;
}

std::size_t DkimVerifier::Machine::hasher_for(Canonicalization form) {
    const auto same =
        std::find_if(hashers_.begin(), hashers_.end(), [&](const BodyHasher& h) { return h.form() == form; });
    const auto number = static_cast<std::size_t>(same - hashers_.begin());
    if (same == hashers_.end()) hashers_.emplace_back(form);
    return number;
}

void DkimVerifier::Machine::body(std::string_view chunk) {
    for (BodyHasher& hasher : hashers_) hasher.update(chunk);
}

void DkimVerifier::Machine::end_of_body() {
    if (body_ended_) return;
    body_ended_ = true;
    for (BodyHasher& hasher : hashers_) hasher.finish();
}

void DkimVerifier::Machine::answer(Answers answers) {
    if (questions_.empty() || answers.size() != questions_.size()) return;
    questions_.clear();
    answers_ = std::move(answers);
}

std::vector<DkimResult> DkimVerifier::Machine::results() const {
    std::vector<DkimResult> results;
    results.reserve(candidates_.size());
    for (const Candidate& candidate : candidates_) results.push_back(judge(candidate));
    return results;
}

DkimResult DkimVerifier::Machine::judge(const Candidate& candidate) const {
    DkimResult result;
    result.domain = candidate.signature.domain;
    result.selector = candidate.signature.selector;
    result.identity = candidate.signature.identity;
    result.algorithm = candidate.signature.algorithm;
    result.signature_start = candidate.signature.signature_start;
    if (candidate.refusal) {
        result.verdict = *candidate.refusal;
        result.reason = candidate.reason;
        return result;
    }
    judge_key(candidate, result);
    return result;
}

// RFC 6376, 6.1.2
void DkimVerifier::Machine::judge_key(const Candidate& candidate, DkimResult& result) const {
    if (!body_ended_ || candidate.question >= answers_.size()) {
        result.verdict = DkimVerdict::temperror;
        result.reason = body_ended_ ? "key was not looked up" : "body did not end";
        return;
    }
    const dns::AnyAnswer& answer = answers_[candidate.question];
    if (answer.failed()) {
        result.verdict = DkimVerdict::temperror;
        result.reason = "DNS failure for the key";
        return;
    }
    result.verdict = DkimVerdict::permerror;
    result.reason = "no key for the signature at " + asked_[candidate.question].name;
    // With several TXT records, which RFC 6376, 3.6.2.2 leaves open, the first that is a key record counts.
    for (const dns::Record& record : answer.records) {
        const auto* txt = std::get_if<dns::Txt>(&record);
        if (txt == nullptr) continue;
        const auto key = parse_dkim_key_record(txt->text);
        if (key) return judge_record(candidate, *key, result);
        result.reason = "key record: " + std::string(key.error().what);
    }
}

void DkimVerifier::Machine::judge_record(const Candidate& candidate, const DkimKeyRecord& record,
                                         DkimResult& result) const {
    const auto lists = [](const std::vector<std::string>& list, std::string_view item) {
        return list.empty() || std::find(list.begin(), list.end(), item) != list.end();
    };
    result.testing = record.testing;
    result.verdict = DkimVerdict::permerror;
    if (record.public_key.empty()) {
        result.reason = "key was revoked";
        return;
    }
    if (!lists(record.hash_algorithms, "sha256")) {
        result.reason = "key is not for sha256";
        return;
    }
    if (!lists(record.services, "*") && !lists(record.services, "email")) {
        result.reason = "key is not for mail";
        return;
    }
    // t=s: RFC 6376, 3.6.1
    if (record.same_domain && !result.identity.ends_with("@" + result.domain)) {
        result.reason = "key does not allow i= to be below d=";
        return;
    }
    const KeyVerdict verdict = verify_digest(record, candidate.signature.key_algorithm, options_.min_rsa_bits,
                                             candidate.header_digest, candidate.signature.signature);
    result.key_bits = verdict.bits;
    result.reason = verdict.reason;
    if (verdict.check == KeyCheck::unusable_key) return;
    result.verdict = verdict.check == KeyCheck::good ? DkimVerdict::pass : DkimVerdict::fail;
    judge_body(candidate, result);
    // RFC 6376, 3.6.1 on t=y: a failure counts as no signature.
    if (result.verdict == DkimVerdict::fail && result.testing) {
        result.verdict = DkimVerdict::neutral;
        result.reason += " (key in test mode)";
    }
}

// The body is judged first where both fail: a changed body explains more than a bad signature.
void DkimVerifier::Machine::judge_body(const Candidate& candidate, DkimResult& result) const {
    const BodyHasher& hasher = hashers_[candidate.hasher];
    const auto& length = candidate.signature.body_length;
    if (length && *length > hasher.size()) {
        result.verdict = DkimVerdict::permerror;
        result.reason = "body is shorter than l=";
        return;
    }
    if (hasher.hash(candidate.hash) != candidate.signature.body_hash) {
        result.verdict = DkimVerdict::fail;
        result.reason = "body hash does not match";
        return;
    }
    if (result.verdict != DkimVerdict::pass || !length || *length == hasher.size()) return;
    result.reason = std::to_string(hasher.size() - *length) + " bytes of the body are not signed (l=)";
    if (!options_.accept_unsigned_tail) result.verdict = DkimVerdict::policy;
}

DkimVerifier::DkimVerifier(Time now, DkimVerifyOptions options)
    : machine_(std::make_unique<Machine>(now, options)) {}
DkimVerifier::~DkimVerifier() = default;
DkimVerifier::DkimVerifier(DkimVerifier&&) noexcept = default;
DkimVerifier& DkimVerifier::operator=(DkimVerifier&&) noexcept = default;

void DkimVerifier::headers(std::string_view block) {
    machine_->headers(block);
}
void DkimVerifier::body(std::string_view chunk) {
    machine_->body(chunk);
}
void DkimVerifier::end_of_body() {
    machine_->end_of_body();
}
const Questions& DkimVerifier::questions() const {
    return machine_->questions();
}
void DkimVerifier::answer(Answers answers) {
    machine_->answer(std::move(answers));
}
std::vector<DkimResult> DkimVerifier::results() const {
    return machine_->results();
}

}  // namespace mailstead::mailauth
