// Opening files where others may have put symbolic links.
#pragma once

#include <string>
#include <sys/types.h>

#include "common/base/file_descriptor.h"

namespace mailstead {

// openat(2), close-on-exec, that follows no symbolic link anywhere on the way, the last name included: a link
// is an error (ELOOP). Kernels or filters without openat2(2) are walked name by name. Empty with errno set on
// failure. Any thread.
FileDescriptor open_without_links(int folder, const std::string& path, int flags, mode_t mode = 0);

}  // namespace mailstead
