// `mailstead account remove` and `undelete`: the rows of the table are in account.cpp.
#pragma once

#include "admin/command.h"

namespace mailstead::admin {

Outcome<> run_account_remove(const Arguments& arguments);
Outcome<> run_account_undelete(const Arguments& arguments);
// `account list --removed`
Outcome<> list_removed_accounts(const Arguments& arguments);

}  // namespace mailstead::admin
