// Does the client's address have a name that leads back to it? (RFC 8601, 3; RFC 1912, 2.1)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/inquiry.h"

namespace mailstead::mailauth {

enum class IprevVerdict : std::uint8_t {
    pass,       // at least one name leads back
    fail,       // names, but none leads back
    permerror,  // no name at all
    temperror,  // the DNS did not answer
};
std::string_view to_string(IprevVerdict verdict);

struct IprevResult {
    IprevVerdict verdict = IprevVerdict::temperror;
    std::string name;  // the first that leads back; else the first that was claimed, or empty
    std::vector<std::string> confirmed_names;  // all that lead back, in the order of the answer
};

// At most ten names are looked at (RFC 7208, 5.5 sets that bound for the same walk). Two rounds.
class IprevCheck {
public:
    explicit IprevCheck(const dns::IpAddress& client);

    const Questions& questions() const { return questions_; }
    void answer(Answers answers);
    // Final when there are no more questions.
    const IprevResult& result() const { return result_; }

private:
    void take_names(dns::AnyAnswer answer);
    void take_addresses(const Answers& answers);

    dns::IpAddress client_;
    Questions questions_;
    std::vector<std::string> names_;
    bool have_names_ = false;
    IprevResult result_;
};

}  // namespace mailstead::mailauth
