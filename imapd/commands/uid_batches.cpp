// UIDBATCHES (RFC 10022).
#include <algorithm>

#include "imapd/commands/commands.h"

namespace mailstead::imapd::commands {
namespace {

// RFC 10022, 3: smaller ones would be sequence numbers by another name.
constexpr std::uint32_t kSmallestBatch = 500;
// In one answer: two million messages, where the RFC asks for a hundred thousand.
constexpr std::uint32_t kMostBatches = 4'000;

}  // namespace

// uidbatches-response = "UIDBATCHES" SP search-correlator [SP uid-range *("," uid-range)]
// From the newest batch down to UID 1, without gaps, so that a message belongs to one batch whatever comes
// and goes.
net::Task<Reply> uid_batches(Session& session, Command& command) {
    const auto& wanted = std::get<proto::UidBatches>(command.arguments);
    if (wanted.size < kSmallestBatch) co_return no("At least 500 messages", "TOOFEW");
    const store::UidRuns& messages = session.selected->messages;
    const std::uint32_t limit = session.limits().messages;
    const std::uint32_t size = limit == 0 ? wanted.size : std::min(wanted.size, limit);
    const std::uint32_t batches = messages.count() / size + (messages.count() % size == 0 ? 0 : 1);
    const std::uint32_t first = wanted.range ? wanted.range->first : 1;
    const std::uint32_t last = wanted.range ? wanted.range->last : std::max(batches, 1U);
    if (last - first >= kMostBatches) co_return no("Too many batches at once", "TOOMANY");

    std::string& out = session.out();
    out += "* UIDBATCHES (TAG ";
    proto::write_string(out, command.tag);
    out += ')';
    for (std::uint32_t n = first; n <= std::min(last, batches); ++n) {
        // The number of the newest message of the batch after this one, 0 when there is none.
        const std::uint32_t above = messages.count() - (n - 1) * size;
        const std::uint32_t below = n == batches ? 0 : above - size;
        out += n == first ? ' ' : ',';
        proto::write_number(out,
                            n == 1 ? messages.uid_of(above).value : messages.uid_of(above + 1).value - 1);
        out += ':';
        proto::write_number(out, n == batches ? 1 : messages.uid_of(below + 1).value);
    }
    out += "\r\n";
    co_return ok("That is all");
}

}  // namespace mailstead::imapd::commands
