#include "common/directory/directory.h"

#include "common/directory/snapshot.h"

namespace mailstead::directory {
namespace {

constexpr std::uint64_t kMapSize = std::uint64_t{4} << 30;

using LmdbDirectory = WithSnapshots<Directory>;

}  // namespace

Result<std::unique_ptr<Directory>> open_directory(const std::filesystem::path& data_dir) {
    TRY(env, kv::Env::open(data_dir / "directory", {.access = kv::Access::reader, .map_size = kMapSize}));
    TRY(databases, open_databases(*env));
    return std::unique_ptr<Directory>(std::make_unique<LmdbDirectory>(std::move(env), databases));
}

}  // namespace mailstead::directory
