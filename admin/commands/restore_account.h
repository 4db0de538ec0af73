// `mailstead restore FROM --account ADDRESS`: what an account has lost comes back into the running
// installation.
#pragma once

#include "admin/command.h"
#include "admin/output.h"
#include "common/backup/snapshot.h"

namespace mailstead::admin {

// Messages come as new ones, through deliver, with their flags, keywords and dates; what the mailbox has
// already, by content, does not come twice. Mailboxes that are missing are made.
Outcome<> restore_account(const backup::Snapshot& snapshot, const Arguments& arguments, Format format);

}  // namespace mailstead::admin
