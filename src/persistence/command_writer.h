// The data set as commands that make it again: the base of an append-only file without aof-use-rdb-preamble.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "persistence/snapshot_writer.h"

namespace cinnabar::persistence {

// As WriteSnapshotFile, in RESP. REQUIRES: nothing changes the data set meanwhile.
Result<uint64_t> WriteCommandsFile(keyspace::Keyspace& keyspace, const SnapshotOptions& options,
                                   const std::string& path, const std::string& temporary,
                                   uint64_t sync_bytes);

// Appends the commands that make one key: at most 64 elements each, then its expiry.
void AppendCommands(const keyspace::Entry& entry, std::string& out);

}  // namespace cinnabar::persistence
