#include "server/snapshots.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "config/config.h"
#include "dispatch/dispatcher.h"
#include "server/cpu_lists.h"

namespace cinnabar::server {
namespace {

// After a failure the save points wait so long.
constexpr int64_t kRetrySeconds = 5;
// So much is written between two syncs with rdb-save-incremental-fsync.
constexpr uint64_t kSyncBytes = 4 << 20;

}  // namespace

bool InTransaction(const dispatch::Services& services) {
  return std::ranges::any_of(services.dispatchers, [](dispatch::Dispatcher* dispatcher) {
    return dispatcher->context().run.in_transaction;
  });
}

Snapshots::Snapshots(dispatch::Services& services, BackgroundChild& child)
    : services_(services), child_(child) {
  figures_.last_save_seconds = SystemWallNanos() / kNanosPerSecond;
}

uint64_t Snapshots::Changes() const {
  uint64_t changes = 0;
  for (dispatch::Dispatcher* dispatcher : services_.dispatchers)
    changes += dispatcher->telemetry().counters().changes.Get();
  return changes;
}

bool Snapshots::in_progress() const {
  return child_.running() && child_.purpose() == BackgroundChild::Purpose::kSnapshot;
}

std::string Snapshots::path() const {
  const config::Persistence& settings = services_.settings.persistence;
  return settings.dir + "/" + settings.dbfilename;
}

std::string Snapshots::TemporaryPath(pid_t pid) const {
  return fmt::format("{}/temp-{}.rdb", services_.settings.persistence.dir, pid);
}

persistence::SnapshotOptions Snapshots::Options() const {
  const config::Settings& settings = services_.settings;
  const keyspace::CoreState& core = services_.dispatchers[0]->core();
  const dispatch::StreamPlace place =
      services_.replication == nullptr ? dispatch::StreamPlace() : services_.replication->Place();
  std::vector<std::string> functions;
  for (const auto& library : services_.scripts->Libraries()) functions.push_back(library.code);
  return {.now = core.now,
          .compression = settings.persistence.rdbcompression ? persistence::Compression::kLzf
                                                             : persistence::Compression::kNone,
          .checksum = settings.persistence.rdbchecksum ? persistence::Checksum::kWritten
                                                       : persistence::Checksum::kOmitted,
          .policy = settings.memory.maxmemory_policy,
          .access = core.access,
          .redis_version = std::string(config::RedisVersion(settings.general.compat_version)),
          .used_memory = services_.control.UsedMemory(),
          .replication_id = place.id,
          .replication_offset = place.offset,
          .stream_database = place.database,
          .functions = std::move(functions)};
}

void Snapshots::Delay(int64_t delay_micros, uint64_t keys) {
  if (delay_micros > 0) usleep(static_cast<useconds_t>(delay_micros));
  if (delay_micros < 0 && keys % static_cast<uint64_t>(-delay_micros) == 0) usleep(1);
}

void Snapshots::RemoveUnfinished() const {
  if (const char* path = unfinished_.load()) unlink(path);
}

Status Snapshots::Save() {
  if (in_progress()) return Fail("ERR Background save already in progress");
  const uint64_t sync_bytes = services_.settings.persistence.rdb_save_incremental_fsync ? kSyncBytes : 0;
  persistence::SnapshotOptions options = Options();
  const int64_t delay = services_.settings.testing.rdb_key_save_delay_micros;
  options.progress = [delay](uint64_t keys) { Delay(delay, keys); };
  own_path_ = TemporaryPath(getpid());
  unfinished_ = own_path_.c_str();
  const auto saved =
      persistence::WriteSnapshotFile(services_.keyspace, options, path(), own_path_, sync_bytes);
  unfinished_ = nullptr;
  if (!saved) {
    services_.log.Warning("{}", saved.error().message);
    return Fail("ERR " + saved.error().message, saved.error().code);
  }
  services_.log.Notice("DB saved on disk");
  changes_at_save_ = Changes();
  figures_.last_save_seconds = SystemWallNanos() / kNanosPerSecond;
  figures_.last_ok = true;
  ++figures_.saves;
  return {};
}

bool Snapshots::WriteInChild(int fd, const persistence::SnapshotOptions& options, const std::string& target) {
  BindThisThread(services_.settings.general.bgsave_cpulist, "bgsave-cpulist", services_.log);
  const uint64_t sync_bytes = services_.settings.persistence.rdb_save_incremental_fsync ? kSyncBytes : 0;
  const auto written = fd >= 0 ? persistence::WriteSnapshotTo(services_.keyspace, options, fd)
                               : persistence::WriteSnapshotFile(services_.keyspace, options, target,
                                                                TemporaryPath(getpid()), sync_bytes);
  if (!written) services_.log.Warning("{}", written.error().message);
  return written.has_value();
}

Status Snapshots::Begin(Reader reader, int fd, bool without_data) {
  changes_at_fork_ = Changes();
  last_try_seconds_ = SystemWallNanos() / kNanosPerSecond;
  figures_.keys_total = 0;
  for (int i = 0; i < services_.keyspace.databases(); ++i) figures_.keys_total += services_.keyspace.Size(i);
  persistence::SnapshotOptions options = Options();
  const int64_t delay = services_.settings.testing.rdb_key_save_delay_micros;
  options.progress = [this, delay](uint64_t keys) {
    child_.Tell(keys);
    Delay(delay, keys);
  };
  options.without_data = without_data;
  const std::string target = path();
  const Status begun = child_.Start(
      BackgroundChild::Purpose::kSnapshot, [&] { return WriteInChild(fd, options, target); }, fd);
  if (!begun) {
    figures_.last_ok = false;
    services_.log.Warning("Can't save in background: {}", begun.error().message);
    return Fail("ERR " + begun.error().message);
  }
  writer_ = child_.pid();
  reader_ = reader;
  if (reader == Reader::kPipe) {
    services_.log.Notice("Background RDB transfer started by pid {}", child_.pid());
  } else {
    services_.log.Notice("Background saving started by pid {}", child_.pid());
  }
  return {};
}

Result<Snapshots::Begun> Snapshots::SaveInBackground(When when) {
  if (in_progress()) return Fail("ERR Background save already in progress");
  const bool transaction = InTransaction(services_);
  if (child_.running() || transaction) {
    if (when == When::kNow && !transaction) {
      return Fail(
          "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order "
          "to "
          "schedule a BGSAVE whenever possible.");
    }
    scheduled_ = true;
    return Begun::kScheduled;
  }
  TRY_STATUS(Begin());
  return Begun::kStarted;
}

void Snapshots::OnChildEnded(const BackgroundChild::Outcome& outcome) {
  using How = BackgroundChild::Outcome::How;
  figures_.last_took_seconds = outcome.took / kMillisPerSecond;
  figures_.last_copied_bytes = outcome.copied_bytes;
  if (reader_ == Reader::kPipe) {
    const bool done = outcome.how == How::kDone;
    services_.log.Notice("Background RDB transfer {}", done ? "terminated with success" : "error");
    return TellReplicas(done);
  }
  switch (outcome.how) {
    case How::kDone:
      services_.log.Notice("Background saving terminated with success");
      changes_at_save_ = changes_at_fork_;
      figures_.last_save_seconds = SystemWallNanos() / kNanosPerSecond;
      figures_.last_ok = true;
      ++figures_.saves;
      return TellReplicas(true);
    case How::kFailed:
      if (outcome.signal != 0) {
        services_.log.Warning("Background saving terminated by signal {}", outcome.signal);
      } else {
        services_.log.Warning("Background saving error");
      }
      figures_.last_ok = false;
      break;
    case How::kStopped:
      services_.log.Warning("Background saving terminated by signal 10");
      break;
  }
  unlink(TemporaryPath(writer_).c_str());
  TellReplicas(false);
}

void Snapshots::TellReplicas(bool written) {
  if (std::exchange(reader_, Reader::kNobody) != Reader::kNobody) ended_(written);
}

void Snapshots::Abandon() {
  if (!in_progress()) return;
  if (reader_ == Reader::kPipe) abandoning_();
  child_.Stop();
  unlink(TemporaryPath(writer_).c_str());
  TellReplicas(false);
}

// The snapshot on disk no longer is what the operator wants to find after a crash.
void Snapshots::DataSetEmptied() {
  Abandon();
  if (services_.settings.persistence.save.empty()) return;
  if (const Status saved = Save(); !saved) services_.log.Warning("{}", saved.error().message);
}

bool Snapshots::SavePointReached() const {
  const int64_t now = SystemWallNanos() / kNanosPerSecond;
  const uint64_t changes = changes_since_save();
  for (const config::SavePoint& point : services_.settings.persistence.save) {
    if (changes < static_cast<uint64_t>(point.changes) || now - figures_.last_save_seconds <= point.seconds)
      continue;
    if (!figures_.last_ok && now - last_try_seconds_ <= kRetrySeconds) continue;
    services_.log.Notice("{} changes in {} seconds. Saving...", point.changes, point.seconds);
    return true;
  }
  return false;
}

void Snapshots::Cron() {
  if (child_.running() || !services_.dispatchers[0]->long_commands().WorldIsFree()) return;
  const bool retry_later =
      !figures_.last_ok && SystemWallNanos() / kNanosPerSecond - last_try_seconds_ <= kRetrySeconds;
  const bool wanted = (scheduled_ && !retry_later) || SavePointReached();
  if (!wanted) return;
  services_.dispatchers[0]->WithWorldStopped([this] {
    if (Begin()) scheduled_ = false;
  });
}

bool Snapshots::refuses_writes() const {
  const config::Persistence& settings = services_.settings.persistence;
  return !figures_.last_ok && settings.stop_writes_on_bgsave_error && !settings.save.empty();
}

void Snapshots::NoteLoaded() {
  changes_at_save_ = Changes();
  figures_.last_save_seconds = SystemWallNanos() / kNanosPerSecond;
}

}  // namespace cinnabar::server
