// Whole files: read one, replace one so that a crash leaves either the old or the new content.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cinnabar::os {

// The bytes of a file; works for /proc and pipes, whose size is not known beforehand.
Result<std::string> ReadWholeFile(const std::string& path, uint64_t bytes_max = UINT64_MAX);

// Replaces `path`: temporary file beside it, fsync, rename, fsync of the directory. On failure the old file
// is untouched and the temporary one removed. The file gets `mode`, less what the umask takes away, whatever
// the old one's was. REQUIRES: one thread at a time for one path.
Status AtomicWriteFile(const std::string& path, std::string_view bytes, int mode = 0644);

// Makes a finished rename, creation or removal inside the directory of `path` durable.
Status SyncDirectoryOf(const std::string& path);

}  // namespace cinnabar::os
