// What a snapshot holds, as text: one line for each file and folder, and a checksum of all lines at the end.
//
//   mailstead-backup 1
//   time 2026-12-01T03:00:00.000Z
//   batch 4711
//   data /var/lib/mailstead
//   config /etc/mailstead/mailstead.toml
//   folder 700 mailstead mailstead data/accounts/7
//   file 600 mailstead mailstead 1234 1700000000000000000 <checksum> <origin> data/accounts/7/mail/cur/...
//   end <checksum>
//
// Fields are percent-encoded where they hold blanks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "common/base/result.h"

namespace mailstead::backup {

struct Entry {
    bool is_folder = false;
    mode_t mode = 0;
    std::string owner;  // names, since numbers differ from machine to machine
    std::string group;
    std::uint64_t size = 0;
    std::int64_t modified = 0;  // nanoseconds since 1970
    std::string checksum;
    // What it was copied from: equal ones mean equal bytes. Of a configuration file: its path.
    std::string origin;
    std::string path;  // relative to the snapshot
};

struct Header {
    std::string time;         // RFC 3339
    std::uint64_t batch = 0;  // the last one it holds
    std::string data;         // where the data folder and the configuration file lay
    std::string config;
};

std::string write_header(const Header& header);
std::string write_entry(const Entry& entry);  // with its line end

// Reads `text` and calls `visit` for each entry. An error when it is damaged or of a newer version; the
// entries before it were visited. Of an interrupted backup, `unfinished`, the end may be missing.
Result<Header> read_manifest(std::string_view text, bool unfinished, const std::function<void(Entry)>& visit);
// The line that ends `text`.
std::string write_end(std::string_view text);

}  // namespace mailstead::backup
