// The data set as an RDB file: every key of every database, in the order of the tables.
//
// REQUIRES throughout: nothing changes the data set meanwhile (the world is stopped, or this is a forked
// child).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/settings.h"
#include "keyspace/access_clock.h"
#include "keyspace/keyspace.h"
#include "persistence/rdb_file.h"

namespace cinnabar::persistence {

struct SnapshotOptions {
  Millis now = 0;
  Compression compression = Compression::kLzf;
  Checksum checksum = Checksum::kWritten;
  config::EvictionPolicy policy = config::EvictionPolicy::kNoEviction;  // whose clock goes with each entry
  keyspace::AccessPolicy access;
  std::string redis_version;
  uint64_t used_memory = 0;
  bool aof_base = false;  // the first part of an append-only file
  // Called after each key with their number so far; null: not called.
  std::function<void(uint64_t)> progress;
};

// Everything, header to checksum. Gives the number of keys.
uint64_t WriteSnapshot(keyspace::Keyspace& keyspace, const SnapshotOptions& options, ByteSink& sink);

// The same into a file: written under a temporary name beside it, synced, renamed; the directory is synced.
// On failure the old file is untouched and the temporary one removed. `sync_bytes`: sync whenever so much was
// written, so that the last sync is short; 0: only at the end.
Result<uint64_t> WriteSnapshotFile(keyspace::Keyspace& keyspace, const SnapshotOptions& options,
                                   const std::string& path, const std::string& temporary,
                                   uint64_t sync_bytes);

}  // namespace cinnabar::persistence
