// Opening what lies below a folder without following a link on the way: what another program put there must
// not lead elsewhere. Internal to the store.
#pragma once

#include <string>
#include <sys/types.h>

#include "common/base/file_descriptor.h"

namespace mailstead::store {

// A folder by its own path, itself no link. Not open when it is none; errno tells.
FileDescriptor open_folder(const std::string& path);

// `path` below `folder`: relative, no "..", and no link anywhere in it, the last name included. Not open on
// failure; errno tells (ELOOP for a link).
FileDescriptor open_beneath(int folder, const std::string& path, int flags, mode_t mode = 0);

}  // namespace mailstead::store
