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

// The database of entries in the queue's environment.
inline constexpr std::string_view kEntries = "entries";

void write_progress(ByteWriter& out, const Progress& progress);
Parsed<Progress> read_progress(ByteReader& in);

}  // namespace mailstead::queue
