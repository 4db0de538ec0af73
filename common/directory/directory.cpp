#include "common/directory/directory.h"

#include "common/directory/snapshot.h"
#include "common/kv/kept_copy.h"

namespace mailstead::directory {
namespace {

constexpr std::uint64_t kMapSize = std::uint64_t{4} << 30;

using LmdbDirectory = WithSnapshots<Directory>;

}  // namespace

Result<std::unique_ptr<Directory>> open_directory(const std::filesystem::path& data_dir) {
    using Opened = Environment<Databases>::Opened;
    const auto open = [folder = data_dir / "directory"]() -> Result<Opened> {
        TRY(env, kv::open_with_copy(folder, {.access = kv::Access::reader, .map_size = kMapSize}));
        TRY(databases, open_databases(*env));
        return Opened{std::move(env), databases};
    };
    TRY(environment, Environment<Databases>::open(open));
    return std::unique_ptr<Directory>(std::make_unique<LmdbDirectory>(std::move(environment)));
}

}  // namespace mailstead::directory
