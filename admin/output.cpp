#include "admin/output.h"

#include <algorithm>
#include <cstdio>

#include "admin/json.h"
#include "common/base/text.h"

namespace mailstead::admin {
namespace {

std::string to_text(const Cell& cell) {
    struct Writer {
        std::string operator()(std::monostate) const { return "-"; }
        std::string operator()(const std::string& text) const { return text.empty() ? "-" : text; }
        std::string operator()(std::uint64_t number) const { return std::to_string(number); }
        std::string operator()(bool yes) const { return yes ? "yes" : "no"; }
        std::string operator()(const std::vector<std::string>& texts) const {
            std::string out;
            for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
            return out.empty() ? "-" : out;
        }
    };
    return std::visit(Writer{}, cell);
}

void write_json(JsonWriter& json, const Cell& cell) {
    if (std::holds_alternative<std::monostate>(cell)) {
        json.null();
        return;
    }
    std::visit(
        [&](const auto& held) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(held)>, std::monostate>) json.value(held);
        },
        cell);
}

// In characters, near enough: UTF-8's continuation bytes take no place.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void append_padded(std::string& out, std::string_view text, std::size_t width) {
    out += text;
    out.append(width - std::min(width, width_of(text)) + 2, ' ');
}

void print_line(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    print(line + '\n');
}

void print_table(const std::vector<std::string_view>& columns, const std::vector<std::vector<Cell>>& rows) {
    std::vector<std::vector<std::string>> lines;
    std::vector<std::size_t> widths;
    widths.reserve(columns.size());
    for (const std::string_view column : columns) widths.push_back(column.size());
    for (const auto& row : rows) {
        std::vector<std::string>& line = lines.emplace_back();
        for (std::size_t i = 0; i < row.size(); ++i) {
            line.push_back(to_text(row[i]));
            widths[i] = std::max(widths[i], width_of(line.back()));
        }
    }
    std::string header;
    for (std::size_t i = 0; i < columns.size(); ++i)
        append_padded(header, text::upper(columns[i]), widths[i]);
    print_line(std::move(header));
    for (const auto& line : lines) {
        std::string out;
        for (std::size_t i = 0; i < line.size(); ++i) append_padded(out, line[i], widths[i]);
        print_line(std::move(out));
    }
}

}  // namespace

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

Outcome<Format> format_of(const Arguments& arguments) {
    const std::string& format = arguments.one("--format");
    if (format.empty() || format == "table") return Format::table;
    if (format == "json") return Format::json;
    return Failure(EX_USAGE, "--format is table or json, not \"" + format + '"');
}

void print_rows(const std::vector<std::string_view>& columns, const std::vector<std::vector<Cell>>& rows,
                Format format, std::string_view empty) {
    if (format == Format::table) {
        if (rows.empty()) return print(std::string(empty) + '\n');
        return print_table(columns, rows);
    }
    JsonWriter json;
    json.array_begin();
    for (const auto& row : rows) {
        json.object_begin();
        for (std::size_t i = 0; i < row.size(); ++i) write_json(json.key(columns[i]), row[i]);
        json.object_end();
    }
    json.array_end();
    print(json.text() + '\n');
}

void print_record(const std::vector<std::pair<std::string_view, Cell>>& record, Format format) {
    if (format == Format::json) {
        JsonWriter json;
        json.object_begin();
        for (const auto& [name, cell] : record) write_json(json.key(name), cell);
        json.object_end();
        return print(json.text() + '\n');
    }
    std::size_t width = 0;
    for (const auto& [name, cell] : record) width = std::max(width, name.size());
    for (const auto& [name, cell] : record) {
        std::string line;
        append_padded(line, std::string(name) + ':', width + 1);
        print_line(line + to_text(cell));
    }
}

}  // namespace mailstead::admin
