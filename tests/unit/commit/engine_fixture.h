// What the tests of the engine share.
#pragma once

#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/commit/engine.h"
#include "tests/unit/commit/forgetful_files.h"
#include "tests/unit/commit/toy_participant.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::commit::testing {

inline EngineOptions small_options(const fs::path& root) {
    EngineOptions options;
    options.root = root;
    options.segment_size = 4u << 20;
    options.max_segments = 4;
    options.checkpoint_idle = Milliseconds(60'000);
    options.reserved_space = 1 << 20;
    options.reserve_size = 0;
    return options;
}

inline Transaction one_part(std::string environment, std::string payload) {
    Transaction transaction;
    transaction.parts.push_back({std::move(environment), std::move(payload), {}});
    return transaction;
}

// A complete, unnamed message file, as smtpd hands it over.
inline MessageFile message_file(const fs::path& folder, const std::string& bytes, bool with_content = false) {
    MessageFile file;
    fs::create_directories(folder);
    file.descriptor = FileDescriptor(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    EXPECT_TRUE(file.descriptor);
    EXPECT_EQ(::pwrite(file.descriptor.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    file.size = bytes.size();
    if (with_content) file.content = std::make_shared<const std::string>(bytes);
    return file;
}

inline std::string text_of(const PartOutcome& outcome) {
    return outcome.result ? *outcome.result : "error: " + outcome.result.error().what;
}

inline std::string run_one(Engine& engine, std::string environment, std::string payload) {
    return text_of(engine.submit_and_wait(one_part(std::move(environment), std::move(payload))).at(0));
}

}  // namespace mailstead::commit::testing
