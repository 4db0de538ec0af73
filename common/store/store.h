// The store's vocabulary in one include. Nothing above it knows how mail is kept: an account is read through
// Snapshots (reader.h) and changed by Changes (change.h), which travel to the commit engine's
// environment_of(account).
#pragma once

#include "common/store/change.h"         // IWYU pragma: export
#include "common/store/failure.h"        // IWYU pragma: export
#include "common/store/fetch_cache.h"    // IWYU pragma: export
#include "common/store/flags.h"          // IWYU pragma: export
#include "common/store/header_record.h"  // IWYU pragma: export
#include "common/store/reader.h"         // IWYU pragma: export
#include "common/store/rights.h"         // IWYU pragma: export
#include "common/store/uid_set.h"        // IWYU pragma: export
#include "common/store/values.h"         // IWYU pragma: export
