// Who hears that the directory or the credentials were restored.
#pragma once

#include <functional>
#include <string_view>

namespace mailstead::directory {

// One sentence for an operator.
using OnRestored = std::function<void(std::string_view)>;

}  // namespace mailstead::directory
