#include "persistence/snapshot_writer.h"

#include "persistence/snapshot_file.h"

#include <cstdio>

namespace cinnabar::persistence {
namespace {

using config::EvictionPolicy;
using keyspace::Entry;
using keyspace::Keyspace;

EntryUse UseOf(const Entry& entry, const SnapshotOptions& options) {
  switch (options.policy) {
    case EvictionPolicy::kVolatileLru:
    case EvictionPolicy::kAllKeysLru:
      return {.idle_seconds = keyspace::IdleSeconds(entry.clock(), options.now)};
    case EvictionPolicy::kVolatileLfu:
    case EvictionPolicy::kAllKeysLfu:
      return {.frequency = keyspace::LfuCounter(entry.clock(), options.now, options.access)};
    default:
      return {};
  }
}

// The oldest version that holds the data.
uint16_t VersionOf(Keyspace& keyspace) {
  for (int database = 0; database < keyspace.databases(); ++database) {
    for (size_t shard = 0; shard < Keyspace::kShards; ++shard) {
      const keyspace::TimedHashes* timed = keyspace.timed_hashes(database, shard);
      if (timed != nullptr && !timed->empty()) return kRdbVersion74;
    }
  }
  return kRdbVersion70;
}

}  // namespace

uint64_t WriteSnapshot(Keyspace& keyspace, const SnapshotOptions& options, ByteSink& sink) {
  RdbFileWriter writer(sink, VersionOf(keyspace), options.compression, options.checksum);
  writer.Fact("redis-ver", options.redis_version);
  writer.Fact("redis-bits", 64);
  writer.Fact("ctime", options.now / 1000);
  writer.Fact("used-mem", static_cast<int64_t>(options.used_memory));
  if (!options.replication_id.empty()) {
    writer.Fact("repl-stream-db", options.stream_database);
    writer.Fact("repl-id", options.replication_id);
    writer.Fact("repl-offset", static_cast<int64_t>(options.replication_offset));
  }
  writer.Fact("aof-base", options.aof_base ? 1 : 0);
  for (const std::string& code : options.functions) writer.Function(code);
  uint64_t keys = 0;
  if (options.without_data) {
    writer.End();
    return keys;
  }
  int selected = -1;
  ForEachEntry(keyspace, [&](int database, const Entry& entry) {
    if (database != selected)
      writer.SelectDatabase(database, keyspace.Size(database), keyspace.VolatileSize(database));
    selected = database;
    writer.Entry(entry, UseOf(entry, options));
    ++keys;
    if (options.progress) options.progress(keys);
  });
  writer.End();
  return keys;
}

Result<uint64_t> WriteSnapshotTo(Keyspace& keyspace, const SnapshotOptions& options, int fd) {
  return WriteToDescriptor(fd, [&](ByteSink& sink) { return WriteSnapshot(keyspace, options, sink); });
}

Result<uint64_t> WriteSnapshotFile(Keyspace& keyspace, const SnapshotOptions& options,
                                   const std::string& path, const std::string& temporary,
                                   uint64_t sync_bytes) {
  return WriteWholeFile(path, temporary, sync_bytes,
                        [&](ByteSink& sink) { return WriteSnapshot(keyspace, options, sink); });
}

}  // namespace cinnabar::persistence
