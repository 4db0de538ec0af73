// Private to this folder: what happens before the first commit. docs/architecture.md, "Checkpoints and
// recovery".
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/commit/debt.h"
#include "common/commit/engine.h"
#include "common/commit/file_layer.h"
#include "common/commit/holdings.h"
#include "common/commit/journal.h"
#include "common/commit/record.h"
#include "common/commit/replay.h"
#include "common/commit/reserve.h"
#include "common/commit/volumes.h"

namespace mailstead::commit {

// What a journal says, as far as it can be read.
struct JournalContent {
    std::vector<std::string> frames;  // the records point into them
    std::vector<Record> records;
    std::set<std::uint64_t> revoked;
    std::uint64_t next_batch = 1;
    std::vector<JournalDamage> damage;

    // The environments that the records name, in the order of their first.
    std::vector<std::string> environments() const;
};
Result<JournalContent> read_journal(FileLayer& files, const std::filesystem::path& root, Journal& journal);

// Whether anything below `root` was ever written by an engine: then there must be a journal.
bool environments_exist(const std::filesystem::path& root);

// The operator's word (accept_damage): whether it is given for exactly this.
bool is_accepted(FileLayer& files, const std::filesystem::path& directory,
                 const std::vector<JournalDamage>& damage);
std::string damage_text(const std::vector<JournalDamage>& damage);
inline constexpr std::string_view kAcceptanceFile = "accept-damage";

// What recovery works on.
struct RecoveryParts {
    const EngineOptions& options;
    FileLayer& files;
    Holdings& holdings;
    Journal& journal;
    Volumes& volumes;
    Reserve& reserve;
};

class Recovery {
public:
    explicit Recovery(const RecoveryParts& parts)
        : options_(parts.options),
          files_(parts.files),
          holdings_(parts.holdings),
          journal_(parts.journal),
          volumes_(parts.volumes),
          reserve_(parts.reserve),
          redo_(parts.files, parts.options.root) {}

    // Brings every environment and message file to what the journal says, makes that durable and empties the
    // journal. May be ended anywhere and done again: until the journal's start moves, no page of the
    // checkpoints is written.
    Result<RecoveryReport> run();

    std::uint64_t next_batch() const { return content_.next_batch; }
    // Out of service, from before or from now on.
    std::vector<SetAside> take_set_aside() { return std::move(asides_); }

private:
    struct Touched {
        std::string key;
        std::string meta_pages;
        std::size_t first_frame = 0;  // records before were of an environment dropped since
        std::size_t end_frame = 0;    // ... from here on, too
        bool is_gone = false;         // its owner knows it no more
        bool was_owed = false;        // set aside before: its debt has it all, files too
        bool is_owed = false;         // set aside now
    };

    Result<void> accept_or_refuse();
    void find_touched();
    Result<void> recover(Touched& touched);
    Result<void> apply(Touched& touched);
    Result<void> set_aside(Touched& touched, Error why);
    Result<void> make_room();
    Result<void> redo_steps();
    Result<void> redo_links(std::size_t frame);
    void redo_after(std::size_t frame);
    // Whose files the part's steps are about; none: nobody's any more.
    Touched* owner_of(std::size_t frame, const RecordedPart& part);
    const std::vector<FileStep>& steps_of(const RecordedPart& part) const;
    bool counts(const Touched& touched, std::size_t frame) const;
    Result<void> finish();
    void remove_staged();
    void log(const std::string& line) const;
    std::filesystem::path directory() const { return options_.root / options_.journal; }

    const EngineOptions& options_;
    FileLayer& files_;
    Holdings& holdings_;
    Journal& journal_;
    Volumes& volumes_;
    Reserve& reserve_;
    FileRedo redo_;
    RecoveryReport report_;
    JournalContent content_;
    bool accepted_ = false;  // damage, by the operator
    std::vector<Touched> touched_;
    std::map<std::string, std::size_t, std::less<>> by_key_;
    std::map<const RecordedPart*, std::vector<FileStep>> derived_;  // as the replay gave them
    std::vector<SetAside> asides_;
};

}  // namespace mailstead::commit
