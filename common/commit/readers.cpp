// Reading beside an engine of another process.
#include <cerrno>
#include <fcntl.h>

#include "common/commit/control_block.h"
#include "common/commit/engine.h"
#include "common/commit/file_layer.h"
#include "common/commit/frame_buffer.h"

namespace mailstead::commit {
namespace {

bool may_read(const std::filesystem::path& directory) {
    FileLayer& files = FileLayer::real();
    FileDescriptor file;
    const int opened = files.open(directory / "control", O_RDONLY, 0, file);
    if (opened == ENOENT) return true;
    std::string bytes;
    if (opened != 0 || files.read(file.get(), 0, 2 * kBlock, bytes) != 0) return false;
    const auto control = newest_control_block(bytes);
    if (!control) return false;
    // Of a run that died in this boot every commit is in the page cache, whole.
    const bool is_whole = control->clean || (!control->suspect && control->boot_id == files.boot_id());
    return is_whole && !control->recovering;
}

Error not_recovered() {
    return transient_error("the store is being recovered, or has not been since the start of the machine",
                           Fault::busy);
}

}  // namespace

bool is_recovered(const std::filesystem::path& root, const std::filesystem::path& journal) {
    return may_read(root / journal);
}

Result<std::shared_ptr<kv::Env>> open_for_reading(const std::filesystem::path& root,
                                                  const std::filesystem::path& directory,
                                                  kv::EnvOptions options) {
    options.access = kv::Access::reader;
    if (!may_read(root / "journal")) return not_recovered();
    TRY(env, kv::Env::open(directory, options));
    // A recovery that began meanwhile marked itself before it touched anything: what was opened may be half
    // of one state and half of another.
    if (!may_read(root / "journal")) return not_recovered();
    return env;
}

}  // namespace mailstead::commit
