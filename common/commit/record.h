// What one journal frame says.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/commit/frame_buffer.h"
#include "common/commit/participant.h"

namespace mailstead::commit {

// A message file of a transaction: its bytes, or the name under which a large one was flushed.
struct RecordedFile {
    bool staged = false;
    std::string_view bytes;  // content, or the staging path
    std::uint64_t size = 0;
};

struct RecordedPart {
    std::size_t environment = 0;  // index into Record::environments
    std::string_view payload;
    std::vector<FileStep> steps;  // what is done to message files; see Record::names_links
};

struct RecordedTransaction {
    std::vector<RecordedFile> files;
    std::vector<RecordedPart> parts;
};

struct RecordedEnvironment {
    std::string_view key;
    std::string_view meta_pages;  // empty when an earlier frame since the checkpoint carries them
};

struct Record {
    enum class Kind : std::uint8_t { batch = 1, revoke = 2, drop = 3 };
    Kind kind = Kind::batch;
    // The steps are all that the change asked for. Otherwise an earlier version wrote it: renames and
    // removals alone, and where files appear only the change itself knows.
    bool names_links = true;
    std::uint64_t batch =
        0;  // revoke: the batch that did not happen after all. Each environment remembers the last it holds
    std::vector<RecordedEnvironment> environments;
    std::vector<RecordedTransaction> transactions;
    std::string_view dropped;  // drop: the environment
};

// Appends to a cleared buffer.
void encode_record(FrameBuffer& out, const Record& record);

// Views point into `payload`. nullopt: not a record of this or an earlier version.
std::optional<Record> decode_record(std::string_view payload);

}  // namespace mailstead::commit
