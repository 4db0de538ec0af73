// Listings, as a table for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "admin/command.h"

namespace mailstead::admin {

enum class Format { table, json };
// From --format; EX_USAGE for another word.
Outcome<Format> format_of(const Arguments& arguments);

// std::monostate is "nothing": `-` in a table, null in JSON.
using Cell = std::variant<std::monostate, std::string, std::uint64_t, bool, std::vector<std::string>>;

// A table with a header line, or an array of objects whose keys are the columns. `empty` is what a person
// reads when there are no rows.
void print_rows(const std::vector<std::string_view>& columns, const std::vector<std::vector<Cell>>& rows,
                Format format, std::string_view empty);

// `name: value` lines, or one object.
void print_record(const std::vector<std::pair<std::string_view, Cell>>& record, Format format);

void print(std::string_view text);

}  // namespace mailstead::admin
