// Commits from a coroutine.
#pragma once

#include "common/commit/engine.h"
#include "common/net/task.h"

namespace mailstead::deliver {

// Submits and waits on the calling task's thread for what came of it. Not interrupted by cancellation: once
// submitted, the outcome must be known.
net::Task<commit::Outcome> submit(commit::Engine& engine, commit::Transaction transaction);

}  // namespace mailstead::deliver
