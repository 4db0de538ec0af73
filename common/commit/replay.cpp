#include "common/commit/replay.h"

#include <cerrno>
#include <fcntl.h>

#include "common/commit/file_steps.h"

namespace mailstead::commit {
namespace {

constexpr int kMostGrowths = 30;  // from the smallest map to the largest

// One attempt. `wants_growth` tells that the map was too small.
Result<Replayed> replay_once(Holding& holding, const Record& record, const ReplayOptions& options,
                             bool& wants_growth) {
    Replayed done;
    TRY(transaction, holding.env->write());
    const auto fail = [&](Error why) {
        wants_growth = transaction.wants_growth();
        return why;
    };
    for (const RecordedTransaction& recorded : record.transactions) {
        std::vector<std::uint64_t> sizes;
        for (const RecordedFile& file : recorded.files) sizes.push_back(file.size);
        for (const RecordedPart& part : recorded.parts) {
            if (record.environments[part.environment].key != holding.key) continue;
            if (options.is_done && options.is_done(recorded, part)) {
                ++done.passed_over;
                continue;
            }
            ApplyContext context(sizes, true);
            if (options.onto_rebuilt) context.set_onto_rebuilt();
            const std::uint64_t before = transaction.writes();
            const auto result = holding.environment->apply(transaction, part.payload, context);
            if (result) {
                ++done.applied;
                done.steps.emplace_back(&part, std::move(context.steps()));
                continue;
            }
            if (transaction.wants_growth() || !options.may_differ || transaction.writes() != before) {
                Error why = result.error();
                if (!transaction.wants_growth() && why.fault == Fault::none) why.fault = Fault::damaged;
                why.what = "a change of batch " + std::to_string(record.batch) +
                           " does not apply again: " + why.what;
                return fail(std::move(why));
            }
            ++done.passed_over;
            if (options.log)
                options.log(holding.key + ": a change of batch " + std::to_string(record.batch) +
                            " is passed over: " + result.error().what);
        }
    }
    if (const auto stamped = write_stamp(*holding.env, transaction, record.batch); !stamped)
        return fail(stamped.error());
    if (const auto committed = transaction.commit(); !committed) return fail(committed.error());
    return done;
}

}  // namespace

Result<Replayed> replay(Holding& holding, const Record& record, const ReplayOptions& options) {
    for (int growths = 0;; ++growths) {
        bool wants_growth = false;
        auto done = replay_once(holding, record, options, wants_growth);
        if (done) {
            holding.environment->after_commit();
            holding.last_batch = record.batch;
            return done;
        }
        holding.environment->after_undo();
        if (!wants_growth || growths > kMostGrowths) return done;
        TRY_VOID(holding.env->grow());
    }
}

bool FileRedo::is_whole(const std::filesystem::path& path, const RecordedFile& file) {
    FileDescriptor present;
    std::uint64_t size = 0;
    if (files_.open(path, O_RDONLY, 0, present) != 0 || files_.size_of(present.get(), size) != 0 ||
        size != file.size)
        return false;
    if (file.staged) return true;  // it was flushed before it got any name
    std::string bytes;
    return files_.read(present.get(), 0, file.size, bytes) == 0 && bytes == file.bytes;
}

Result<void> FileRedo::redo(const FileStep& step, const RecordedTransaction& transaction) {
    const std::filesystem::path to = root_ / step.to;
    if (step.kind == FileStep::Kind::link_path || step.kind == FileStep::Kind::rename) {
        FileDescriptor from;
        const int rc = files_.open(root_ / step.from, O_RDONLY, 0, from);
        if (rc == ENOENT) return {};  // a later step took it away, and had both names before it
        return name_again(files_, root_ / step.from, to);
    }
    const RecordedFile& file = transaction.files[step.file];
    if (is_whole(to, file)) return {};
    TRY(source, source_of(file, to.parent_path()));
    TRY_VOID(name_file(files_, source.get(), file.size, to, file.staged));
    ++restored_;
    return {};
}

Result<FileDescriptor> FileRedo::source_of(const RecordedFile& file, const std::filesystem::path& folder) {
    if (!file.staged) return make_unnamed(files_, folder, file.bytes);
    FileDescriptor staged;
    const auto path = root_ / file.bytes;
    if (const int rc = files_.open(path, O_RDONLY, 0, staged))
        return transient_error("cannot open " + path.string() + ": " + errno_text(rc));
    return staged;
}

}  // namespace mailstead::commit
