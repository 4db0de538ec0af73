// The DNS records of a domain, from what this installation knows about it.
#pragma once

#include <vector>

#include "admin/failure.h"
#include "common/address/domain.h"
#include "common/directory/credentials.h"
#include "common/mailauth/publish.h"
#include "common/settings/settings.h"

namespace mailstead::admin {

Outcome<std::vector<mailauth::PublishedRecord>> records_of(const settings::Settings& settings,
                                                           const directory::Credentials& credentials,
                                                           const Domain& domain);

// A new DKIM key for the domain: RSA-2048, since large receivers still count Ed25519 as a failure. The
// selector says the day.
Outcome<directory::DkimKey> make_dkim_key(const directory::Credentials& credentials, const Domain& domain,
                                          directory::DkimState state);

}  // namespace mailstead::admin
