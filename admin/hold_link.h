// A hold of deliver's state for as long as it lives: see common/ipc/hold_messages.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "admin/failure.h"
#include "common/base/file_descriptor.h"
#include "common/kv/env.h"
#include "common/settings/settings.h"

namespace mailstead::admin {

class HoldLink {
public:
    // Begins. `directory` and `credentials` are empty files, which take copies of those. EX_UNAVAILABLE when
    // deliver does not run.
    static Outcome<std::unique_ptr<HoldLink>> begin(const settings::Settings& settings, int directory,
                                                    int credentials);
    ~HoldLink();  // ends it
    HoldLink(const HoldLink&) = delete;
    HoldLink& operator=(const HoldLink&) = delete;

    std::uint64_t batch() const;
    // nullopt: the environment's data file is as it was.
    Outcome<std::optional<kv::MetaPages>> pages(const std::string& environment);
    // The environments are copied.
    Outcome<> unpin();
    // To be called now and then: says that the work goes on. Cheap.
    Outcome<> still_here();

private:
    HoldLink();
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::admin
