// The journal as records, for recovery and for those who only look.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>

#include "common/commit/recovery.h"

namespace mailstead::commit {
namespace {

// A large message that was flushed under a name of its own: it must be there, or where it was linked to.
void check_staged(FileLayer& files, const std::filesystem::path& root, const RecordedTransaction& transaction,
                  std::vector<JournalDamage>& damage) {
    FileRedo redo(files, root);
    for (std::size_t i = 0; i < transaction.files.size(); ++i) {
        const RecordedFile& file = transaction.files[i];
        if (!file.staged || redo.is_whole(root / file.bytes, file)) continue;
        bool is_everywhere = true;
        for (const RecordedPart& part : transaction.parts) {
            for (const FileStep& step : part.steps) {
                if (step.kind == FileStep::Kind::link_file && step.file == i)
                    is_everywhere = is_everywhere && redo.is_whole(root / step.to, file);
            }
        }
        if (!is_everywhere)
            damage.push_back({root / file.bytes, 0, "a message that the journal names is missing or short"});
    }
}

std::string damage_line(const JournalDamage& damage) {
    return damage.file.string() + " " + std::to_string(damage.offset) + " " + damage.what + "\n";
}

}  // namespace

bool environments_exist(const std::filesystem::path& root) {
    FileLayer& files = FileLayer::real();
    const auto has_data = [](const std::filesystem::path& folder) {
        std::error_code ignored;
        return std::filesystem::exists(folder / "data.mdb", ignored);
    };
    std::vector<std::string> names;
    for (const char* kind : {"queue", "ledger", "shares"}) {
        if (has_data(root / kind)) return true;
    }
    files.list(root / "accounts", names);
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& name) { return has_data(root / "accounts" / name / "index"); });
}

std::vector<std::string> JournalContent::environments() const {
    std::vector<std::string> keys;
    for (const Record& record : records) {
        for (const RecordedEnvironment& environment : record.environments) {
            if (std::find(keys.begin(), keys.end(), environment.key) == keys.end())
                keys.emplace_back(environment.key);
        }
    }
    return keys;
}

Result<JournalContent> read_journal(FileLayer& files, const std::filesystem::path& root, Journal& journal) {
    JournalContent content;
    TRY_VOID(journal.scan([&](std::string payload) { content.frames.push_back(std::move(payload)); },
                          content.damage));
    content.next_batch = std::max<std::uint64_t>(1, journal.control().next_batch);
    std::uint64_t highest = 0;
    for (const std::string& frame : content.frames) {
        auto record = decode_record(frame);
        if (!record) return permanent_error("the journal was written by another version of Mailstead");
        if (record->kind == Record::Kind::revoke) content.revoked.insert(record->batch);
        if (record->kind == Record::Kind::batch) {
            // Numbers rise. One that does not is a copy of a batch above, which recovery used to write. Both
            // would be applied.
            if (record->batch <= highest) continue;
            highest = record->batch;
            for (const auto& transaction : record->transactions)
                check_staged(files, root, transaction, content.damage);
        }
        content.next_batch = std::max(content.next_batch, record->batch + 1);
        content.records.push_back(std::move(*record));
    }
    // Everything was at rest: whatever became of its segments, nothing in them is needed.
    if (journal.control().clean && content.records.empty()) content.damage.clear();
    return content;
}

std::string damage_text(const std::vector<JournalDamage>& damage) {
    std::string text;
    for (const JournalDamage& one : damage) text += damage_line(one);
    return text;
}

bool is_accepted(FileLayer& files, const std::filesystem::path& directory,
                 const std::vector<JournalDamage>& damage) {
    FileDescriptor file;
    std::uint64_t size = 0;
    std::string text;
    return files.open(directory / kAcceptanceFile, O_RDONLY, 0, file) == 0 &&
           files.size_of(file.get(), size) == 0 && files.read(file.get(), 0, size, text) == 0 &&
           text == damage_text(damage);
}

Result<JournalState> inspect_journal(const std::filesystem::path& root,
                                     const std::filesystem::path& journal) {
    FileLayer& files = FileLayer::real();
    JournalState state;
    for (const SetAside& aside : list_debts(files, root / journal)) state.owed.push_back(aside.environment);
    Journal::Options options;
    options.directory = root / journal;
    options.read_only = true;
    options.expected = environments_exist(root);
    auto opened = Journal::open(files, options);
    if (!opened && opened.error().fault != Fault::damaged) return state;
    state.exists = true;
    if (!opened) {
        state.damage.push_back({root / journal / "control", 0, opened.error().what});
        return state;
    }
    state.was_clean = (*opened)->control().clean;
    TRY(content, read_journal(files, root, **opened));
    state.batches = static_cast<std::uint64_t>(
        std::count_if(content.records.begin(), content.records.end(),
                      [](const Record& r) { return r.kind == Record::Kind::batch; }));
    state.environments = content.environments();
    state.damage = std::move(content.damage);
    return state;
}

Result<void> accept_damage(const std::filesystem::path& root, const JournalState& state,
                           const std::filesystem::path& journal) {
    FileLayer& files = FileLayer::real();
    const auto path = root / journal / kAcceptanceFile;
    FileDescriptor file;
    int rc = make_directories(files, root / journal);
    if (rc == 0) rc = files.open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, file);
    if (rc == 0) rc = files.write(file.get(), damage_text(state.damage), 0);
    if (rc == 0) rc = files.flush(file.get());
    if (rc != 0) return transient_error("cannot write " + path.string() + ": " + errno_text(rc));
    return {};
}

}  // namespace mailstead::commit
