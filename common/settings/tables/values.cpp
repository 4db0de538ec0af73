#include "common/settings/tables/values.h"

#include "common/base/text.h"

namespace mailstead::settings::tables {

std::vector<std::string> upper_case(const std::vector<std::string>& names) {
    std::vector<std::string> out;
    out.reserve(names.size());
    for (const std::string& name : names) out.push_back(text::upper(name));
    return out;
}

}  // namespace mailstead::settings::tables
