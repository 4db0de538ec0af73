#include "common/backup/manifest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "common/backup/files.h"
#include "common/base/percent.h"
#include "common/base/text.h"

namespace mailstead::backup {
namespace {

constexpr std::string_view kFirst = "mailstead-backup 1";

std::string encoded(std::string_view field) {
    std::string out;
    for (const char c : field) {
        if (static_cast<unsigned char>(c) > ' ' && c != '%' && c != 0x7F) {
            out += c;
        } else {
            out += '%' + text::hex(std::string_view(&c, 1));
        }
    }
    return out.empty() ? "%" : out;
}

std::optional<std::string> decoded(std::string_view field) {
    if (field == "%") return std::string();
    auto bytes = percent_decode(field);
    if (!bytes) return std::nullopt;
    return *std::move(bytes);
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
        const std::size_t blank = line.find(' ');
        words.push_back(line.substr(0, blank));
        line = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
    }
    return words;
}

// Never outside of the snapshot, whatever a manifest says.
bool is_below(std::string_view path) {
    if (path.empty() || path.front() == '/') return false;
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t slash = std::min(path.find('/', at), path.size());
        const std::string_view part = path.substr(at, slash - at);
        if (part.empty() || part == "." || part == "..") return false;
        at = slash + 1;
    }
    return path.find('\0') == std::string_view::npos;
}

std::optional<Entry> read_entry(const std::vector<std::string_view>& words) {
    Entry entry;
    entry.is_folder = words[0] == "folder";
    if (words.size() != (entry.is_folder ? 5u : 9u)) return std::nullopt;
    unsigned mode = 0;
    const auto read = std::from_chars(words[1].data(), words[1].data() + words[1].size(), mode, 8);
    const auto owner = decoded(words[2]);
    const auto group = decoded(words[3]);
    const auto path = decoded(words.back());
    if (read.ec != std::errc() || mode > 07777 || !owner || !group || !path || !is_below(*path))
        return std::nullopt;
    entry.mode = mode;
    entry.owner = *owner;
    entry.group = *group;
    entry.path = *path;
    if (entry.is_folder) return entry;
    const auto size = text::parse_number<std::uint64_t>(words[4]);
    const auto modified = text::parse_number<std::uint64_t>(words[5]);
    const auto origin = decoded(words[7]);
    if (!size || !modified || !origin) return std::nullopt;
    entry.size = *size;
    entry.modified = static_cast<std::int64_t>(*modified);
    entry.checksum = words[6];
    entry.origin = *origin;
    return entry;
}

Error damaged(std::size_t line) {
    return permanent_error("its list of files is damaged at line " + std::to_string(line));
}

bool read_header_line(const std::vector<std::string_view>& words, Header& header) {
    if (words.size() != 2) return false;
    const auto value = decoded(words[1]);
    if (!value) return false;
    if (words[0] == "batch") {
        const auto batch = text::parse_number<std::uint64_t>(*value);
        header.batch = batch.value_or(0);
        return batch.has_value();
    }
    const std::array<std::pair<std::string_view, std::string*>, 3> names = {
        {{"time", &header.time}, {"data", &header.data}, {"config", &header.config}}};
    for (const auto& [name, place] : names) {
        if (words[0] != name) continue;
        *place = *value;
        return true;
    }
    return false;
}

}  // namespace

std::string write_header(const Header& header) {
    return std::string(kFirst) + "\ntime " + encoded(header.time) + "\nbatch " +
           std::to_string(header.batch) + "\ndata " + encoded(header.data) + "\nconfig " +
           encoded(header.config) + '\n';
}

std::string write_entry(const Entry& entry) {
    std::array<char, 16> mode{};
    const auto end =
        std::to_chars(mode.data(), mode.data() + mode.size(), static_cast<unsigned>(entry.mode), 8);
    std::string out = entry.is_folder ? "folder " : "file ";
    out.append(mode.data(), end.ptr);
    out += ' ' + encoded(entry.owner) + ' ' + encoded(entry.group) + ' ';
    if (!entry.is_folder) {
        out += std::to_string(entry.size) + ' ' + std::to_string(entry.modified) + ' ' + entry.checksum +
               ' ' + encoded(entry.origin) + ' ';
    }
    return out + encoded(entry.path) + '\n';
}

std::string write_end(std::string_view text) {
    Checksum sum;
    sum.add(text);
    return "end " + sum.finish() + '\n';
}

Result<Header> read_manifest(std::string_view text, bool unfinished,
                             const std::function<void(Entry)>& visit) {
    Header header;
    bool ended = false;
    std::size_t number = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        if (end == std::string_view::npos) break;
        const std::string_view line = text.substr(at, end - at);
        ++number;
        if (number == 1 && line != kFirst) {
            return permanent_error(line.starts_with("mailstead-backup ")
                                       ? "it was made by a newer Mailstead: install that version"
                                       : "its list of files is damaged at line 1");
        }
        const auto words = words_of(line);
        if (number > 1 && ended) return damaged(number);
        if (words.empty()) return damaged(number);
        if (words[0] == "end") {
            Checksum sum;
            sum.add(text.substr(0, at));
            if (words.size() != 2 || words[1] != sum.finish()) return damaged(number);
            ended = true;
        } else if (words[0] == "file" || words[0] == "folder") {
            auto entry = read_entry(words);
            if (!entry) return damaged(number);
            visit(*std::move(entry));
        } else if (number > 1 && !read_header_line(words, header)) {
            return damaged(number);
        }
        at = end + 1;
    }
    if (!ended && !unfinished) return permanent_error("its list of files has no end");
    return header;
}

}  // namespace mailstead::backup
