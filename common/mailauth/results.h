// The Authentication-Results field (RFC 8601): writing ours, and finding those that pretend to be ours.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/address.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/iprev.h"
#include "common/mailauth/spf.h"

namespace mailstead::mailauth {

// One method of the field: `spf=pass (reason) smtp.mailfrom=example.org`.
struct MethodResult {
    struct Property {
        std::string name;   // `smtp.mailfrom`
        std::string value;  // any text; quoted and cleaned when written
    };
    std::string method;
    std::string result;
    std::string comment;  // any text; cleaned when written
    std::vector<Property> properties;
};

MethodResult method_result(const SpfResult& spf);
MethodResult method_result(const DkimResult& dkim);
MethodResult method_result(const DmarcResult& dmarc);
MethodResult method_result(const IprevResult& iprev, const dns::IpAddress& client);
// A client that logged in (RFC 8601, 2.7.4).
MethodResult auth_passed(std::string_view mechanism, const Address& account);

// The whole field with its name, folded at 78 columns and ended by CRLF. Without results it says `none` (RFC
// 8601, 2.2).
std::string write_authentication_results(std::string_view authserv_id, std::span<const MethodResult> results);

// The authserv-id at the start of the value of an Authentication-Results field, lower case, comments and
// folding skipped; empty if there is none.
std::string authserv_id_of(std::string_view field_value);
// Whether the value of such a field that came from outside must go, since it claims to be from `authserv_id`
// (or a name below it): RFC 8601, 5. A value that cannot be read goes too.
bool pretends_to_be(std::string_view field_value, std::string_view authserv_id);

}  // namespace mailstead::mailauth
