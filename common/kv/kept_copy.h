// A copy beside an environment that cannot be made anew from anything else: the directory, the credentials.
//
//   <directory>/copy.mdb   the environment as it was after the last change, compact
//
// It is renamed into place when it is whole, and opened when the data file is damaged or gone.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "common/base/result.h"
#include "common/kv/env.h"

namespace mailstead::kv {

// Writes the copy, durable. One at a time per process and environment.
Result<void> keep_copy(const Env& env);

// The same unless that was done a moment ago: the larger the environment, the longer a moment, so that a
// thousand changes in a row do not write it a thousand times.
Result<void> keep_copy_now_and_then(const Env& env);

// Makes the copy when there is none, or when the environment has changed since.
Result<void> refresh_copy(const std::filesystem::path& directory);

// Hears of a restored environment: one sentence for an operator.
using OnRestored = std::function<void(std::string_view)>;

// Env::open() of an environment with a copy. When the data file is damaged or gone, a writer moves it aside
// and puts the copy in its place; for a reader that is a transient Error with Fault::damaged, since a writer
// will do so. Without a sound copy the Error says what can be done.
Result<std::shared_ptr<Env>> open_with_copy(const std::filesystem::path& directory, const EnvOptions& options,
                                            const OnRestored& on_restored = {});

}  // namespace mailstead::kv
