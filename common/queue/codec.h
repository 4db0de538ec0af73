// Pieces of the queue's binary form that its files share.
#pragma once

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/queue/entry.h"

namespace mailstead::queue {

inline void write_time(ByteWriter& out, Time time) {
    out.fixed64(static_cast<std::uint64_t>(time.time_since_epoch().count()));
}
inline Time read_time(ByteReader& in) {
    return Time(Milliseconds(static_cast<std::int64_t>(in.fixed64())));
}

// The databases of the queue's environment. entries: id (u64) -> QueueEntry.  meta: the next id, the format.
inline constexpr std::string_view kEntries = "entries";
inline constexpr std::string_view kMeta = "meta";
inline constexpr std::string_view kNextId = "next-id";
inline constexpr std::string_view kFormatKey = "format";
inline constexpr std::uint64_t kFormat = 1;

void write_progress(ByteWriter& out, const Progress& progress);
Parsed<Progress> read_progress(ByteReader& in);

}  // namespace mailstead::queue
