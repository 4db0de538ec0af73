#include <sstream>

#include "common/base/text.h"
#include "common/settings/schema.h"
#include "common/settings/settings.h"

namespace mailstead::settings {
namespace {

void write_comment(std::ostringstream& out, std::string_view help) {
    while (!help.empty()) out << "# " << text::next_field(help, '\n') << '\n';
}

void write_explanation(std::ostringstream& out, const Row& row) {
    write_comment(out, row.help);
    out << "# Read by: " << row.readers << '.';
    const bool has_bounds = row.type == Type::number || row.type == Type::size || row.type == Type::duration;
    if (has_bounds) {
        std::string bounds = expectation(row);
        bounds.resize(bounds.size() - std::string_view(" is expected").size());
        if (bounds.ends_with(',')) bounds.pop_back();
        out << " Allowed: " << bounds << '.';
    }
    out << '\n';
}

void write_single(std::ostringstream& out, const Table& table) {
    if (!table.name.empty()) out << '[' << table.name << "]\n";
    for (const Row& row : table.rows) {
        write_explanation(out, row);
        const std::string_view value = row.default_toml.empty() ? "\"mail.example.org\"" : row.default_toml;
        out << row.key << " = " << value << "\n\n";
    }
}

void write_array(std::ostringstream& out, const Table& table) {
    for (const Row& row : table.rows) {
        out << "#   " << row.key;
        if (!row.default_toml.empty()) out << " (default " << row.default_toml << ')';
        out << ": " << row.help << '\n';
    }
    std::string_view sample = table.sample;
    while (!sample.empty()) {
        const std::string_view line = text::next_field(sample, '\n');
        out << (table.sample_is_default || line.empty() ? "" : "# ") << line << '\n';
    }
    out << '\n';
}

}  // namespace

std::string describe() {
    std::ostringstream out;
    out << "# Mailstead's configuration, with every key at its default (hostname has none). What is left out "
           "keeps its default.\n"
           "# Relative paths count from this file's folder. `mailstead config check` tells what is wrong "
           "with a file.\n"
           "# Domains, accounts, aliases and passwords are not here: see `mailstead domain`, `account` and "
           "`alias`.\n\n";
    for (const Table& table : schema()) {
        write_comment(out, table.help);
        if (table.kind == TableKind::single) {
            write_single(out, table);
        } else {
            write_array(out, table);
        }
    }
    std::string text = out.str();
    while (text.ends_with("\n\n")) text.pop_back();
    return text;
}

}  // namespace mailstead::settings
