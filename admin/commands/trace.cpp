// `mailstead trace`: what happened to a message.
#include <algorithm>
#include <set>

#include "admin/json.h"
#include "admin/output.h"
#include "admin/workspace.h"
#include "common/base/text.h"
#include "common/ledger/ledger.h"

namespace mailstead::admin {
namespace {

// How far back, and for how many messages, an address is looked for.
constexpr std::size_t kLinesSearched = 200'000;
constexpr std::size_t kMessagesShown = 20;

Outcome<ledger::Reader> open_ledger(const settings::Settings& settings) {
    auto reader = ledger::Reader::open(settings.data_dir);
    if (!reader) {
        return Failure(EX_UNAVAILABLE, "the ledger cannot be read (" + reader.error().what +
                                           "): it is made when deliver first starts");
    }
    return *std::move(reader);
}

bool mentions(const ipc::LedgerLine& line, std::string_view address) {
    return std::any_of(line.fields.begin(), line.fields.end(), [&](const auto& field) {
        return text::ifind(field.second, address) != std::string_view::npos;
    });
}

// The newest messages that mention the address, oldest first.
Outcome<std::vector<std::string>> ids_about(const ledger::Reader& reader, const std::string& address) {
    std::vector<std::string> ids;
    std::size_t searched = 0;
    TRY_VOID(reader.newest_first([&](const ipc::LedgerLine& line) {
        const bool is_new = std::find(ids.begin(), ids.end(), line.trace_id) == ids.end();
        if (is_new && mentions(line, address)) ids.push_back(line.trace_id);
        return ids.size() < kMessagesShown && ++searched < kLinesSearched;
    }));
    std::reverse(ids.begin(), ids.end());
    return ids;
}

// A value may be a stranger's words: nothing in it may move the cursor or look like another field.
std::string shown(std::string_view value) {
    const std::string safe = text::quote_for_log(value, 1000);
    const bool is_word = !safe.empty() && safe.find(' ') == std::string::npos;
    return is_word ? safe : '"' + safe + '"';
}

void print_line(const ipc::LedgerLine& line) {
    std::string out = to_rfc3339(line.time) + "  " + line.stage;
    for (const auto& [name, value] : line.fields) out += "  " + name + '=' + shown(value);
    print(out + '\n');
}

void write_line(JsonWriter& json, const ipc::LedgerLine& line) {
    json.object_begin()
        .member("id", line.trace_id)
        .member("time", to_rfc3339(line.time))
        .member("stage", line.stage);
    json.key("fields").object_begin();
    std::set<std::string_view> written;
    for (const auto& [name, value] : line.fields) {
        if (written.insert(name).second) json.member(name, value);
    }
    json.object_end().object_end();
}

Outcome<> run_trace(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    TRY(reader, open_ledger(settings));
    const std::string& wanted = arguments.one("ID");
    const bool by_address = wanted.find('@') != std::string::npos;
    std::vector<std::string> ids = {wanted};
    if (by_address) {
        TRY(found, ids_about(reader, wanted));
        ids = std::move(found);
    }
    JsonWriter json;
    json.array_begin();
    std::size_t lines_shown = 0;
    for (const std::string& id : ids) {
        TRY(lines, reader.find(id));
        if (format == Format::table && by_address) print((lines_shown == 0 ? "" : "\n") + id + '\n');
        for (const ipc::LedgerLine& line : lines)
            format == Format::table ? print_line(line) : write_line(json, line);
        lines_shown += lines.size();
    }
    json.array_end();
    if (format == Format::json) print(json.text() + '\n');
    if (lines_shown == 0) {
        return Failure(
            EX_DATAERR,
            "nothing is known of " + text::quote_for_log(wanted) +
                ": the id is in the answer to DATA and in the Received field; an address works, too");
    }
    return {};
}

}  // namespace

CommandGroup trace_commands() {
    return {
        "",
        "",
        {{"trace",
          "What happened to a message",
          {{"ID", Takes::one, "The message's id, or an address for the newest messages about it"}, kFormat},
          &run_trace}}};
}

}  // namespace mailstead::admin
