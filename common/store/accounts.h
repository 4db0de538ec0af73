// The writing side: the accounts' indexes as the commit engine's participant. deliver adds it as kind
// "account".
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "common/commit/participant.h"
#include "common/store/failure.h"

namespace mailstead::store {

// Payloads are encode(Change); what submit answers is encode(ChangeResult), or an Error whose fault
// Failure(error) finds again.
class Accounts final : public commit::Participant {
public:
    // `log` takes one line about what an operator should know (an index migrated, or damaged and waiting for
    // a rebuild).
    explicit Accounts(std::function<void(std::string_view)> log = {});
    ~Accounts() override;

    Result<commit::EnvironmentPlace> locate(std::string_view name) override;
    Result<std::unique_ptr<commit::Environment>> attach(std::string_view name,
                                                        std::shared_ptr<kv::Env> env) override;

private:
    std::function<void(std::string_view)> log_;
};

}  // namespace mailstead::store
