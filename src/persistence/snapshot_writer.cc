#include "persistence/snapshot_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "os/files.h"

namespace cinnabar::persistence {
namespace {

using config::EvictionPolicy;
using keyspace::Entry;
using keyspace::Keyspace;
using keyspace::ShardTable;

constexpr size_t kWriteBytes = 256 * 1024;

// Collects small pieces and keeps the first error.
class FileSink final : public ByteSink {
 public:
  FileSink(int fd, uint64_t sync_bytes) : fd_(fd), sync_bytes_(sync_bytes) {
    buffer_.reserve(kWriteBytes * 2);
  }

  void Take(std::string_view bytes) override {
    if (error_ != 0) return;
    buffer_.append(bytes);
    if (buffer_.size() >= kWriteBytes) Drain();
  }

  void Drain() {
    size_t done = 0;
    while (error_ == 0 && done < buffer_.size()) {
      const ssize_t count = write(fd_, buffer_.data() + done, buffer_.size() - done);
      if (count > 0) {
        done += static_cast<size_t>(count);
      } else if (count == 0 || errno != EINTR) {
        error_ = count == 0 ? ENOSPC : errno;
      }
    }
    unsynced_ += done;
    buffer_.clear();
    if (sync_bytes_ > 0 && unsynced_ >= sync_bytes_) Sync();
  }
  void Sync() {
    if (error_ == 0 && fdatasync(fd_) != 0) error_ = errno;
    unsynced_ = 0;
  }
  int error() const { return error_; }

 private:
  const int fd_;
  const uint64_t sync_bytes_;
  std::string buffer_;
  uint64_t unsynced_ = 0;
  int error_ = 0;
};

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
  writer.Fact("aof-base", options.aof_base ? 1 : 0);
  uint64_t keys = 0;
  for (int database = 0; database < keyspace.databases(); ++database) {
    ShardTable* tables = keyspace.tables_if_any(database);
    const size_t size = keyspace.Size(database);
    if (tables == nullptr || size == 0) continue;
    writer.SelectDatabase(database, size, keyspace.VolatileSize(database));
    for (size_t shard = 0; shard < Keyspace::kShards; ++shard) {
      auto& entries = tables[shard].entries;
      for (size_t bucket = 0; bucket < entries.bucket_count(); ++bucket) {
        entries.VisitBucket(bucket, [&](TableSlot& slot) { Prefetch(slot.entry<Entry>()); });
        entries.VisitBucket(bucket, [&](TableSlot& slot) {
          const Entry& entry = *slot.entry<Entry>();
          writer.Entry(entry, UseOf(entry, options));
          ++keys;
          if (options.progress) options.progress(keys);
        });
      }
    }
  }
  writer.End();
  return keys;
}

Result<uint64_t> WriteSnapshotFile(Keyspace& keyspace, const SnapshotOptions& options,
                                   const std::string& path, const std::string& temporary,
                                   uint64_t sync_bytes) {
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    const int code = errno;
    return Fail("Failed opening the temp RDB file " + temporary +
                    " (in server root dir) for saving: " + strerror(code),
                code);
  }
  FileSink sink(fd, sync_bytes);
  const uint64_t keys = WriteSnapshot(keyspace, options, sink);
  sink.Drain();
  sink.Sync();
  int code = sink.error();
  if (close(fd) != 0 && code == 0) code = errno;
  if (code == 0 && rename(temporary.c_str(), path.c_str()) != 0) code = errno;
  if (code != 0) {
    unlink(temporary.c_str());
    return Fail(std::string("Write error while saving DB to the disk: ") + strerror(code), code);
  }
  if (const Status synced = os::SyncDirectoryOf(path); !synced) return std::unexpected(synced.error());
  return keys;
}

}  // namespace cinnabar::persistence
