// The tables of mailstead.toml, each declared in a file of its subject. schema.cpp puts them in order.
#pragma once

#include "common/settings/schema.h"

namespace mailstead::settings::tables {

Table general();            // the keys at the top
Table listeners();          // [[listener]]
Table tls();                // [tls]
Table more_certificates();  // [[tls.more]]
Table dns();                // [dns]
Table relay();              // [relay]
Table routes();             // [[relay.route]]
Table limits();             // [limits]
Table smtp();               // [smtp]
Table imap();               // [imap]
Table oauth();              // [oauth]
Table log();                // [log]

}  // namespace mailstead::settings::tables
