// One message's envelope while it is being said, and who says it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/directory/routing.h"
#include "common/smtp/command.h"

namespace mailstead::smtpd {

struct Recipient {
    smtp::Rcpt rcpt;             // `to` is set, also for `<postmaster>`
    directory::Targets targets;  // where the directory sends it
};

struct Transaction {
    std::string id;  // of the message, from MAIL on: in Received, in replies, in the log and in the ledger
    smtp::Mail mail;
    std::vector<Recipient> recipients;
};

// How the client greeted us.
struct Greeting {
    smtp::Hello hello;
    bool extended = false;  // EHLO
};

// Who logged in.
struct Identity {
    AccountId account;
    std::string login;
    std::string mechanism;
};

}  // namespace mailstead::smtpd
