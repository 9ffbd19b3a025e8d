#include "server/data_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "config/config.h"
#include "dispatch/dispatcher.h"
#include "dispatch/tracking.h"
#include "os/files.h"
#include "server/leftovers.h"

namespace cinnabar::server {
namespace {

constexpr Nanos kSlice = 2 * kNanosPerMilli;
constexpr Nanos kSecondSweep = 90 * kNanosPerSecond;

bool Exists(const std::string& path) {
  struct stat facts {};
  return stat(path.c_str(), &facts) == 0;
}

}  // namespace

ServerDataFiles::ServerDataFiles(dispatch::Services& services, Listeners listeners, os::MemoryMeter& meter)
    : services_(services),
      while_loading_(std::move(listeners.while_loading)),
      child_(services.log, std::move(listeners.set_title),
             [this] { SetClocks(dispatch::Dispatcher::Clocks::kRest); }),
      snapshots_(services, child_),
      append_only_(services, child_, snapshots_, std::move(listeners.released), meter) {}

const DataLoader::Figures* ServerDataFiles::load_figures() const {
  return loader_ == nullptr ? nullptr : &loader_->figures();
}

// ---- loading ----

void ServerDataFiles::SweepFolder() {
  RemoveLeftovers(services_.settings.persistence.dir, services_.log);
}

Status ServerDataFiles::BeginLoading() {
  SweepFolder();
  sweep_at_ = SystemMonotonicNanos() + kSecondSweep;
  // The manifest is read also when the append-only file is off: it may be switched on.
  std::vector<LoadPart> parts = TRY(append_only_.FindFiles());
  from_append_only_ = services_.settings.persistence.appendonly;
  if (!from_append_only_) {
    parts.clear();
    if (const std::string path = snapshots_.path(); Exists(path))
      parts.push_back({.path = path, .name = services_.settings.persistence.dbfilename});
  }
  if (parts.empty()) return FinishLoading();
  load_began_ = SystemMonotonicNanos();
  loader_ = std::make_unique<DataLoader>(services_, std::move(parts));
  services_.alarms.fetch_or(dispatch::Alarm::kLoading);
  return {};
}

Result<bool> ServerDataFiles::LoadFirst() {
  const auto enough = static_cast<uint64_t>(services_.settings.testing.loading_process_events_interval_bytes);
  services_.dispatchers[0]->UpdateTime();
  while (loader_ != nullptr && loader_->figures().bytes < enough) {
    if (!TRY(Load())) return false;
    if (waits_for_bytes_) break;
  }
  return loader_ != nullptr;
}

Result<bool> ServerDataFiles::Load() {
  if (loader_ == nullptr) return false;
  const TickClock& clock = services_.dispatchers[0]->clock();
  const auto progress = loader_->Step(clock.Now() + clock.ToTicks(kSlice));
  waits_for_bytes_ = progress == DataLoader::Progress::kWaits;
  if (progress == DataLoader::Progress::kMore || waits_for_bytes_) return true;
  const bool failed = progress == DataLoader::Progress::kFailed;
  if (in_place_) {
    if (failed) services_.log.Warning("{}", loader_->error().message);
    EndLoadInPlace(!failed);
    return false;
  }
  if (failed) return std::unexpected(loader_->error());
  last_load_ = loader_->figures();
  expired_at_start_ = loader_->TakeExpired();
  loader_.reset();
  LogLoaded();
  TRY_STATUS(FinishLoading());
  services_.alarms.fetch_and(~uint32_t{dispatch::Alarm::kLoading});
  return false;
}

void ServerDataFiles::LogLoaded() {
  const double seconds = static_cast<double>(SystemMonotonicNanos() - load_began_) / 1e9;
  if (from_append_only_) {
    services_.log.Notice("DB loaded from append only file: {:.3f} seconds", seconds);
  } else {
    const std::string empty =
        last_load_.keys_empty == 0 ? "" : fmt::format(", empty keys skipped: {}", last_load_.keys_empty);
    services_.log.Notice("Done loading RDB, keys loaded: {}, keys expired: {}{}.", last_load_.keys_loaded,
                         last_load_.keys_expired, empty);
    services_.log.Notice("DB loaded from disk: {:.3f} seconds", seconds);
  }
}

// ---- another data set ----

// What is being written is of the data set that goes.
void ServerDataFiles::StopWriting() {
  if (child_.running()) {
    services_.log.Notice(
        "Replica is about to load the RDB file received from the master, but there is a pending "
        "child that writes the old data set. Killing it.");
    snapshots_.Abandon();
    append_only_.Abandon();
  }
  // With an error it is still on, and rewritten when the new data set is there.
  if (append_only_.on() && !append_only_.SwitchOff())
    services_.log.Warning("The append-only file cannot be closed.");
  UpdateAlarms();
}

Status ServerDataFiles::LoadInPlace(const NewDataSet& incoming, std::function<void(LoadEnd)> ended) {
  CHECK(loader_ == nullptr);
  std::string path = incoming.path;
  if (incoming.becomes_dump) {
    path = snapshots_.path();
    if (rename(incoming.path.c_str(), path.c_str()) != 0) {
      const int code = errno;
      unlink(incoming.path.c_str());
      return Fail(
          fmt::format("Failed trying to rename the temp DB into {} in MASTER <-> REPLICA synchronization: {}",
                      services_.settings.persistence.dbfilename, strerror(code)),
          code);
    }
    TRY_STATUS(os::SyncDirectoryOf(path));
  }
  if (!incoming.apart) StopWriting();
  in_place_ = std::move(ended);
  from_append_only_ = false;
  load_began_ = SystemMonotonicNanos();
  if (incoming.apart) {
    apart_ =
        std::make_unique<keyspace::Keyspace>(services_.keyspace.databases(), HashKey::OfProcess(),
                                             services_.keyspace.gate().cores(), services_.keyspace.layout());
  } else {
    EmptyDataSet();
  }
  services_.alarms.fetch_or(incoming.serving ? dispatch::Alarm::kLoadsApart : dispatch::Alarm::kLoading);
  loader_ = std::make_unique<DataLoader>(
      services_,
      std::vector<LoadPart>{
          {.path = path, .name = services_.settings.persistence.dbfilename, .incoming = incoming.incoming}},
      apart_.get());
  waits_for_bytes_ = false;
  return {};
}

void ServerDataFiles::EndLoadInPlace(bool loaded) {
  const auto ended = in_place_;
  auto end = LoadEnd::kLoaded;
  if (loaded) {
    last_load_ = loader_->figures();
    const std::vector<std::string> libraries = loader_->TakeLibraries();
    loader_.reset();
    LogLoaded();
    if (apart_ != nullptr) services_.dispatchers[0]->WithWorldStopped([&] { TakeOverApart(libraries); });
    in_place_ = nullptr;
  } else {
    services_.dispatchers[0]->WithWorldStopped([&] { end = StopLoading(); });
  }
  ended(end);
}

// The new data set becomes the server's.
void ServerDataFiles::TakeOverApart(std::span<const std::string> libraries) {
  StopWriting();
  EmptyDataSet();
  const Status restored =
      services_.scripts->RestoreLibraries(0, libraries, dispatch::Scripts::Restore::kFlush);
  if (!restored)
    services_.log.Warning("The functions that came with the data set cannot be used: {}",
                          restored.error().message);
  for (int database = 0; database < services_.keyspace.databases(); ++database) {
    services_.keyspace.TakeFrom(*apart_, database);
    services_.dispatchers[0]->blocked().SignalAll(database);
  }
  apart_.reset();
}

void ServerDataFiles::LoadedInPlace() {
  snapshots_.NoteLoaded();
  services_.alarms.fetch_and(~uint32_t{dispatch::Alarm::kLoading | dispatch::Alarm::kLoadsApart});
  const config::Persistence& settings = services_.settings.persistence;
  if (settings.rdb_del_sync_files && settings.save.empty() && !settings.appendonly) {
    services_.log.Notice(
        "Removing the RDB file obtained from the master. This replica has persistence disabled");
    unlink(snapshots_.path().c_str());
  }
  ResumeAppendOnly();
}

void ServerDataFiles::ResumeAppendOnly() {
  if (services_.settings.persistence.appendonly && !append_only_.on() && !append_only_.SwitchOn())
    services_.log.Warning("Failed enabling the AOF after successful master synchronization!");
  UpdateAlarms();
}

ServerDataFiles::LoadEnd ServerDataFiles::StopLoading() {
  loader_.reset();
  const bool kept = apart_ != nullptr;
  if (kept) {
    apart_.reset();
  } else {
    EmptyDataSet();
  }
  in_place_ = nullptr;
  services_.alarms.fetch_and(~uint32_t{dispatch::Alarm::kLoading | dispatch::Alarm::kLoadsApart});
  return kept ? LoadEnd::kOldDataKept : LoadEnd::kOldDataLost;
}

Status ServerDataFiles::FinishLoading() {
  snapshots_.NoteLoaded();
  if (!services_.settings.persistence.appendonly) return {};
  TRY_STATUS(append_only_.OpenAfterLoading());
  UpdateAlarms();
  return {};
}

// ---- while the server runs ----

void ServerDataFiles::Cron() {
  const bool world_is_free = services_.dispatchers[0]->long_commands().WorldIsFree();
  if (world_is_free && child_.Ended()) {
    // The outcome names files and counters that other cores read with the world stopped. Nobody hears that
    // the child has ended before what it has made is in its place.
    services_.dispatchers[0]->WithWorldStopped([&] {
      const auto outcome = child_.Poll();
      if (!outcome) return;
      if (outcome->purpose == BackgroundChild::Purpose::kSnapshot) {
        snapshots_.OnChildEnded(*outcome);
      } else {
        append_only_.OnChildEnded(*outcome);
        TellCopyWaiters();  // the first base makes durable what was appended before it was there
      }
      UpdateAlarms();
    });
  }
  // It may have been stopped, too.
  if (world_is_free && clocks_rest_ && !child_.running()) {
    services_.dispatchers[0]->WithWorldStopped([this] { SetClocks(dispatch::Dispatcher::Clocks::kRun); });
  }
  if (loading()) return;
  if (sweep_at_ != 0 && !child_.running() && SystemMonotonicNanos() >= sweep_at_) {
    SweepFolder();
    sweep_at_ = 0;
  }
  append_only_.Cron();
  snapshots_.Cron();
  const bool trouble = snapshots_.refuses_writes() || !append_only_.Trouble().empty();
  if (trouble != ((services_.alarms.load() & dispatch::Alarm::kDiskTrouble) != 0)) UpdateAlarms();
}

void ServerDataFiles::SetClocks(dispatch::Dispatcher::Clocks clocks) {
  clocks_rest_ = clocks == dispatch::Dispatcher::Clocks::kRest;
  for (dispatch::Dispatcher* dispatcher : services_.dispatchers) dispatcher->SetClocks(clocks);
}

void ServerDataFiles::UpdateAlarms() {
  uint32_t set = 0;
  if (snapshots_.refuses_writes() || !append_only_.Trouble().empty()) set |= dispatch::Alarm::kDiskTrouble;
  const bool waits_for_replicas =
      services_.settings.replication.min_replicas_to_acknowledge > 0 && !services_.replication->follows();
  if (append_only_.on() || waits_for_replicas) set |= dispatch::Alarm::kHoldReplies;
  constexpr uint32_t kOurs = dispatch::Alarm::kDiskTrouble | dispatch::Alarm::kHoldReplies;
  services_.alarms.fetch_and(~kOurs | set);
  services_.alarms.fetch_or(set);
}

std::string ServerDataFiles::WriteRefusal() const {
  if (const std::string trouble = append_only_.Trouble(); append_only_.on() && !trouble.empty())
    return "MISCONF Errors writing to the AOF file: " + trouble;
  if (!snapshots_.refuses_writes()) return {};
  return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "
         "Commands "
         "that may modify the data set are disabled, because this instance is configured to report errors "
         "during "
         "writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs "
         "for "
         "details about the RDB error.";
}

Status ServerDataFiles::SettingsChanged(const config::Settings& old, const config::Settings& now) {
  if (old.persistence.appendonly != now.persistence.appendonly && !loading()) {
    TRY_STATUS(now.persistence.appendonly ? append_only_.SwitchOn() : append_only_.SwitchOff());
  }
  append_only_.SettingsChanged();
  UpdateAlarms();
  TellCopyWaiters();
  return {};
}

void ServerDataFiles::TellCopyWaiters() {
  for (dispatch::Dispatcher* dispatcher : services_.dispatchers) dispatcher->blocked().ServeCopyWaiters();
}

Status ServerDataFiles::PrepareShutdown(const dispatch::ShutdownRequest& request) {
  if (const std::string_view why = append_only_.WhyIncomplete(); !why.empty()) {
    services_.log.Warning("{}{}", why, request.force ? ". Exit anyway." : ", can't exit.");
    if (!request.force) return Fail("the append-only file does not hold the whole data set");
  }
  if (child_.running()) {
    const std::string_view work = append_only_.rewriting() ? "rewriting the AOF" : "saving an .rdb";
    services_.log.Warning("There is a child {}. Killing it!", work);
    snapshots_.Abandon();
    append_only_.Abandon();
  }
  if (append_only_.on()) {
    services_.log.Notice("Calling fsync() on the AOF file.");
    if (!append_only_.Flush()) {
      services_.log.Warning("Fail to fsync the AOF file: {}.", append_only_.Trouble());
      if (!request.force) return Fail("the append-only file cannot be written");
    }
  }
  const bool wanted = request.save || (!request.nosave && !services_.settings.persistence.save.empty());
  if (!wanted || loading()) return {};
  services_.log.Notice("Saving the final RDB snapshot before exiting.");
  if (const Status saved = snapshots_.Save(); !saved) {
    if (!request.force) {
      services_.log.Warning("Error trying to save the DB, can't exit.");
      return saved;
    }
    services_.log.Warning("Error trying to save the DB, but the shutdown was forced: exiting.");
  }
  return {};
}

void ServerDataFiles::DropDataSet() {
  EmptyDataSet();
  journal::Effects effects;
  effects.Add(0, {"FLUSHALL"});
  services_.journal.Append(effects);
  DataSetEmptied();
}

// ---- DEBUG ----

void ServerDataFiles::EmptyDataSet() {
  services_.scripts->FlushFunctions(dispatch::Scripts::Freeing::kAtOnce);
  for (int database = 0; database < services_.keyspace.databases(); ++database) {
    auto dropped = std::make_shared<keyspace::Keyspace::Dropped>(services_.keyspace.Detach(database));
    const bool later = in_place_ != nullptr && services_.settings.replication.replica_lazy_flush;
    if (later && dropped->keys() > 0)
      services_.control.Defer([dropped] {
        while (dropped->FreeSome()) {
        }
      });
    services_.dispatchers[0]->blocked().SignalAll(database);
  }
  services_.tracking->InvalidateAll(-1);
}

Status ServerDataFiles::LoadAtOnce(std::vector<LoadPart> parts) {
  DataLoader loader(services_, std::move(parts));
  const TickClock& clock = services_.dispatchers[0]->clock();
  auto progress = DataLoader::Progress::kMore;
  while (progress == DataLoader::Progress::kMore) {
    progress = loader.Step(clock.Now() + clock.ToTicks(kSlice));
    while_loading_(kSlice);
  }
  if (progress == DataLoader::Progress::kFailed) {
    services_.log.Warning("{}", loader.error().message);
    return Fail("ERR Error trying to load the RDB dump, check server logs");
  }
  last_load_ = loader.figures();
  return {};
}

Status ServerDataFiles::Reload(const ReloadOptions& options) {
  if (options.save) TRY_STATUS(snapshots_.Save());
  if (options.flush) EmptyDataSet();
  const std::string path = snapshots_.path();
  TRY_STATUS(LoadAtOnce(
      {{.path = path, .name = services_.settings.persistence.dbfilename, .merging = options.merge}}));
  snapshots_.NoteLoaded();
  services_.log.Warning("DB reloaded by DEBUG RELOAD");
  return {};
}

Status ServerDataFiles::ReloadAppendOnly() {
  if (append_only_.on() && !append_only_.Flush()) return Fail("ERR the append-only file cannot be written");
  EmptyDataSet();
  TRY_STATUS(append_only_.ReadManifest());
  std::vector<LoadPart> parts = append_only_.Files();
  services_.journal.RemoveSink(append_only_);
  const Status loaded = LoadAtOnce(std::move(parts));
  if (append_only_.log() != nullptr) {
    services_.journal.AddSink(append_only_);
    services_.journal.SelectAnew();
  }
  if (!loaded) return Fail("ERR Error trying to load the AOF files, check server logs");
  snapshots_.NoteLoaded();
  services_.log.Warning("Append Only File loaded by DEBUG LOADAOF");
  return {};
}

}  // namespace cinnabar::server
