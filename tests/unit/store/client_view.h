// All that a client can see of an account as text, for comparing: mailboxes, messages, contents, lists.
#pragma once

#include <string>

#include "tests/unit/store/test_account.h"

namespace mailstead::store {

// Without what a rebuild may change: UIDNEXT, mod-sequences, THREADIDs.
std::string client_view(TestAccount& account);

}  // namespace mailstead::store
