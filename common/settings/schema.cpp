#include "common/settings/schema.h"

#include <array>

#include "common/settings/tables/tables.h"
#include "common/settings/units.h"

namespace mailstead::settings {

std::span<const Table> schema() {
    static const std::array kTables = {
        tables::general(), tables::listeners(), tables::tls(),    tables::more_certificates(),
        tables::dns(),     tables::relay(),     tables::routes(), tables::limits(),
        tables::smtp(),    tables::imap(),      tables::oauth(),  tables::log()};
    return kTables;
}

std::filesystem::path Draft::resolve(const std::string& path) const {
    if (path.empty()) return {};
    return (folder / path).lexically_normal();
}

std::string expectation(const Row& row) {
    switch (row.type) {
        case Type::boolean:
            return "true or false is expected";
        case Type::number:
            return "a number from " + std::to_string(row.minimum) + " to " + std::to_string(row.maximum) +
                   " is expected";
        case Type::size:
            return "a size from " + write_size(row.minimum) + " to " + write_size(row.maximum) +
                   " is expected";
        case Type::duration:
            return "a time such as \"5 days\", \"4 hours\" or \"90 s\", from " + std::to_string(row.minimum) +
                   " to " + std::to_string(row.maximum) + " seconds, is expected";
        case Type::text:
            return "a text in quotes is expected";
        case Type::texts:
            return "a list of texts such as [\"A\", \"B\"] is expected";
    }
    return {};
}

}  // namespace mailstead::settings
