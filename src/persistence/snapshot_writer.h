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
  // Where the data set stands in its history of replication; no id: in none that could be continued.
  std::string replication_id;
  uint64_t replication_offset = 0;
  int stream_database = 0;  // that is selected in the stream there
  bool without_data = false;
  std::vector<std::string> functions;  // the sources of libraries
  bool annotated = false;              // a file of commands begins with its time
  // Called after each key with their number so far; null: not called.
  std::function<void(uint64_t)> progress;
};

// Calls `visit(int database, const keyspace::Entry&)` for every key, database by database.
template <typename Visit>
void ForEachEntry(keyspace::Keyspace& keyspace, Visit&& visit) {
  for (int database = 0; database < keyspace.databases(); ++database) {
    keyspace::ShardTable* first = keyspace.tables_if_any(database);
    for (size_t table = 0; first != nullptr && table < keyspace.tables(); ++table) {
      auto& entries = first[table].entries;
      for (size_t bucket = 0; bucket < entries.bucket_count(); ++bucket) {
        entries.VisitBucket(bucket, [&](TableSlot& slot) { Prefetch(slot.entry<keyspace::Entry>()); });
        entries.VisitBucket(bucket,
                            [&](TableSlot& slot) { visit(database, *slot.entry<const keyspace::Entry>()); });
      }
    }
  }
}

// Everything, header to checksum. Gives the number of keys.
uint64_t WriteSnapshot(keyspace::Keyspace& keyspace, const SnapshotOptions& options, ByteSink& sink);

// The same into a pipe or socket, which stays open.
Result<uint64_t> WriteSnapshotTo(keyspace::Keyspace& keyspace, const SnapshotOptions& options, int fd);

// The same into a file; see snapshot_file.h.
Result<uint64_t> WriteSnapshotFile(keyspace::Keyspace& keyspace, const SnapshotOptions& options,
                                   const std::string& path, const std::string& temporary,
                                   uint64_t sync_bytes);

}  // namespace cinnabar::persistence
