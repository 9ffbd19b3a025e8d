// A file that is written as a whole: under a temporary name beside it, synced, renamed; then the directory is
// synced. On failure the old file is untouched and the temporary one removed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "persistence/rdb_writer.h"

namespace cinnabar::persistence {

// `write` gives everything to the sink and returns what WriteWholeFile returns on success. `sync_bytes`: sync
// whenever so much was written, so that the last sync is short; 0: only at the end.
Result<uint64_t> WriteWholeFile(const std::string& path, const std::string& temporary, uint64_t sync_bytes,
                                const std::function<uint64_t(ByteSink&)>& write);

// The same to a descriptor that is no file: nothing is synced, and it stays open.
Result<uint64_t> WriteToDescriptor(int fd, const std::function<uint64_t(ByteSink&)>& write);

}  // namespace cinnabar::persistence
