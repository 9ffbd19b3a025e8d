#include "server/append_only.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "dispatch/dispatcher.h"
#include "os/cpus.h"
#include "os/files.h"
#include "persistence/command_writer.h"
#include "server/cpu_lists.h"

namespace cinnabar::server {
namespace {

using persistence::AofFile;
using persistence::AofManifest;
using persistence::BaseFormat;
using persistence::SyncPolicy;

constexpr uint64_t kSyncBytes = 4 << 20;
constexpr int kPatientFailures = 3;  // rewrites that may fail before they are spaced out
constexpr Millis kFirstPause = 60'000, kLongestPause = 3'600'000;

SyncPolicy PolicyOf(config::AppendFsync setting) {
  switch (setting) {
    case config::AppendFsync::kAlways:
      return SyncPolicy::kAlways;
    case config::AppendFsync::kEverySecond:
      return SyncPolicy::kEverySecond;
    case config::AppendFsync::kNo:
      return SyncPolicy::kNo;
  }
  return SyncPolicy::kEverySecond;
}

std::optional<uint64_t> SizeOf(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) return std::nullopt;
  return static_cast<uint64_t>(facts.st_size);
}

Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0755) == 0) return os::SyncDirectoryOf(path);
  if (errno == EEXIST) return {};
  return Fail(fmt::format("Can't open or create append-only dir {}: {}", path, strerror(errno)), errno);
}

Status Move(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0)
    return Fail(fmt::format("Error trying to rename {} into {}: {}", from, to, strerror(errno)), errno);
  return os::SyncDirectoryOf(to);
}

// Made if it is not there. The caller owns the descriptor.
Result<int> OpenForAppending(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd >= 0) return fd;
  return Fail(fmt::format("Can't open the append-only file {}: {}", path, strerror(errno)), errno);
}

}  // namespace

AppendOnly::AppendOnly(dispatch::Services& services, BackgroundChild& child, Snapshots& snapshots,
                       std::function<void(uint64_t)> released, os::MemoryMeter& meter)
    : services_(services),
      child_(child),
      snapshots_(snapshots),
      released_(std::move(released)),
      meter_(meter),
      unbound_cpus_(os::CpusOfThisThread()) {}

AppendOnly::~AppendOnly() {
  StopLog();
}

std::string AppendOnly::Folder() const {
  const config::Persistence& settings = services_.settings.persistence;
  return settings.dir + "/" + settings.appenddirname;
}

std::string AppendOnly::TemporaryBase(pid_t pid) const {
  return fmt::format("{}/temp-rewriteaof-bg-{}.aof", services_.settings.persistence.dir, pid);
}

std::string AppendOnly::TemporaryIncrement() const {
  return PathOf("temp-" + services_.settings.persistence.appendfilename + ".incr");
}

Status AppendOnly::PersistManifest(const AofManifest& manifest) {
  const std::string path = PathOf(persistence::ManifestName(services_.settings.persistence.appendfilename));
  Status written = os::AtomicWriteFile(path, manifest.Format());
  if (!written)
    services_.log.Warning("Fail to write the AOF manifest file {}: {}", path, written.error().message);
  return written;
}

// ---- start-up ----

Status AppendOnly::ReadManifest() {
  const std::string path = PathOf(persistence::ManifestName(services_.settings.persistence.appendfilename));
  if (!SizeOf(path)) return {};
  const std::string text = TRY(os::ReadWholeFile(path));
  auto parsed = AofManifest::Parse(text);
  if (!parsed)
    return Fail(fmt::format("{} (file {}, line {})", parsed.error().message, path, parsed.error().code));
  manifest_ = std::move(*parsed);
  return {};
}

Result<std::vector<LoadPart>> AppendOnly::FindFiles() {
  TRY_STATUS(ReadManifest());
  if (services_.settings.persistence.appendonly) TRY_STATUS(TakeOverOldFile());
  std::vector<LoadPart> parts = Files();
  for (const LoadPart& part : parts) {
    if (!SizeOf(part.path))
      return Fail(fmt::format("The AOF file {} doesn't exist: {}", part.name, strerror(ENOENT)));
  }
  return parts;
}

std::vector<LoadPart> AppendOnly::Files() const {
  std::vector<LoadPart> parts;
  auto add = [&](const AofFile& file) {
    parts.push_back(
        {.kind = LoadPart::Kind::kAppendOnly, .path = PathOf(file.name), .name = file.name, .last = false});
  };
  if (manifest_.base) add(*manifest_.base);
  for (const AofFile& file : manifest_.increments) add(file);
  // A file is only written to once those before it are on disk: a torn tail is followed by empty files at
  // most.
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    part->last = true;
    if (SizeOf(part->path).value_or(0) > 0) break;
  }
  return parts;
}

// Before Redis 7 the append-only file was one file beside the snapshot. The manifest is written first: a
// crash before the file is moved is found by the next start.
Status AppendOnly::TakeOverOldFile() {
  const config::Persistence& settings = services_.settings.persistence;
  const std::string old_path = settings.dir + "/" + settings.appendfilename;
  const std::string new_path = PathOf(settings.appendfilename);
  const bool interrupted = manifest_.base && manifest_.increments.empty() &&
                           manifest_.base->name == settings.appendfilename && !SizeOf(new_path);
  if ((!manifest_.empty() && !interrupted) || !SizeOf(old_path)) return {};
  TRY_STATUS(MakeFolder(Folder()));
  if (!interrupted) {
    manifest_ = {};
    manifest_.AddBase(settings.appendfilename, BaseFormat::kCommands);
    manifest_.base->name = settings.appendfilename;
    TRY_STATUS(PersistManifest(manifest_));
  }
  TRY_STATUS(Move(old_path, new_path));
  services_.log.Notice(
      "Successfully migrated an old-style AOF configuration ({}) into the AOF directory ({}).",
      settings.appendfilename, settings.appenddirname);
  return {};
}

Status AppendOnly::OpenAfterLoading() {
  const std::string& stem = services_.settings.persistence.appendfilename;
  TRY_STATUS(MakeFolder(Folder()));
  if (manifest_.empty()) {
    const AofFile& base = manifest_.AddBase(stem, FormatAsked());
    services_.log.Notice("Creating AOF base file {} on server start", base.name);
    TRY_STATUS(WriteBase(FormatAsked(), BaseOptions(), TemporaryBase(getpid()), PathOf(base.name)));
  }
  unlink(TemporaryIncrement().c_str());  // of a server that ended before it had a base
  const bool first = manifest_.increments.empty();
  if (first)
    services_.log.Notice("Creating AOF incr file {} on server start", manifest_.AddIncrement(stem).name);
  const std::string path = PathOf(manifest_.increments.back().name);
  if (first) unlink(path.c_str());
  const int fd = TRY(OpenForAppending(path));
  if (const Status persisted = first ? PersistManifest(manifest_) : Status(); !persisted) {
    close(fd);
    return persisted;
  }
  DeleteHistory();
  state_ = State::kOn;
  figures_.base_bytes = SizeOfFiles();
  const uint64_t size = SizeOf(path).value_or(0);
  closed_bytes_ = figures_.base_bytes - size;
  StartLog();
  AppendTo(fd, size);
  return {};
}

uint64_t AppendOnly::SizeOfFiles() const {
  uint64_t sum = 0;
  if (manifest_.base) sum += SizeOf(PathOf(manifest_.base->name)).value_or(0);
  for (const AofFile& file : manifest_.increments) sum += SizeOf(PathOf(file.name)).value_or(0);
  return sum;
}

void AppendOnly::StartLog() {
  if (log_ != nullptr) return;
  {
    BackgroundCpus background(services_.settings.general, unbound_cpus_, services_.log);
    log_ = std::make_unique<persistence::AppendLog>(*this, &meter_);
  }
  log_from_ = services_.journal.offset();
  SettingsChanged();
  released_(services_.journal.offset());  // what came before is the base's
  services_.journal.AddSink(*this);
  services_.journal.SelectAnew();
}

void AppendOnly::StopLog() {
  if (log_ == nullptr) return;
  services_.journal.RemoveSink(*this);
  log_->Flush(true);
  log_.reset();
}

void AppendOnly::SettingsChanged() {
  DeleteHistory();
  if (log_ == nullptr) return;
  const config::Persistence& settings = services_.settings.persistence;
  const SyncPolicy policy = PolicyOf(settings.appendfsync);
  // What came before is not on disk yet: replies will tell of it, or clients wait for it (WAITAOF).
  if (policy_.exchange(policy) != policy && policy != SyncPolicy::kNo) log_->Flush(true);
  log_->SetPolicy(policy);
  log_->HoldSyncs(settings.no_appendfsync_on_rewrite && child_.running());
}

void AppendOnly::AppendTo(int fd, uint64_t size) {
  log_->Rotate(fd, size);
  raw_database_ = -1;
  services_.journal.SelectAnew();
}

// The file is there before the manifest names it. A crash in between leaves one that belongs to nothing: its
// number is used again, its bytes must not be.
Status AppendOnly::BeginIncrement() {
  AofManifest next = manifest_;
  const AofFile increment = next.AddIncrement(services_.settings.persistence.appendfilename);
  const std::string path = PathOf(increment.name);
  unlink(path.c_str());
  const int fd = TRY(OpenForAppending(path));
  if (const Status persisted = PersistManifest(next); !persisted) {
    close(fd);
    unlink(path.c_str());
    return persisted;
  }
  manifest_ = std::move(next);
  rewrite_from_ = increment.sequence;
  closed_bytes_ = figures().current_bytes;
  rewrite_offset_ = services_.journal.offset();
  failures_before_rewrite_ = log_->sync_failures();
  AppendTo(fd, 0);
  services_.log.Notice("Creating AOF incr file {} on background rewrite", increment.name);
  return {};
}

// ---- what is written ----

void AppendOnly::OnBytes(uint64_t offset, std::string_view bytes) {
  Write(offset, offset + bytes.size(), bytes);
  raw_database_ = -1;
}

// The file may begin in the middle of the other server's stream.
void AppendOnly::OnRaw(uint64_t offset, std::string_view bytes, int database_before, int database_behind) {
  if (raw_database_ != database_before) {
    std::string select;
    journal::EncodeCommand(std::array<std::string_view, 2>{"SELECT", fmt::format("{}", database_before)},
                           select);
    log_->Append(offset, select);
  }
  Write(offset, offset + bytes.size(), bytes);
  raw_database_ = database_behind;
}

void AppendOnly::OnControl(uint64_t offset, std::string_view bytes) {
  log_->Append(offset + bytes.size(), {});
}

void AppendOnly::OnLocal(uint64_t offset, std::string_view bytes) {
  Write(offset, offset, bytes);
  raw_database_ = -1;
}

void AppendOnly::Write(uint64_t offset, uint64_t end, std::string_view bytes) {
  if (services_.settings.persistence.aof_timestamp_enabled) {
    const int64_t now = SystemWallNanos() / kNanosPerSecond;
    if (now != last_timestamp_) {
      last_timestamp_ = now;
      log_->Append(offset, fmt::format("#TS:{}\r\n", now));
    }
  }
  log_->Append(end, bytes);
}

void AppendOnly::OnFailed(const Error& error) {
  const bool always = policy_.load() == SyncPolicy::kAlways;
  services_.log.Warning("Error writing to the AOF file: {}", error.message);
  if (always) {
    // Replies wait for the disk. Nothing that was acknowledged is lost by ending here.
    services_.log.Warning(
        "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...");
    _exit(1);
  }
  {
    std::lock_guard lock(trouble_mutex_);
    trouble_ = error.message;
  }
  services_.alarms.fetch_or(dispatch::Alarm::kDiskTrouble);
}

void AppendOnly::OnRecovered() {
  services_.log.Warning("AOF write error looks solved, Redis can write again.");
  std::lock_guard lock(trouble_mutex_);
  trouble_.clear();
}

std::string AppendOnly::Trouble() const {
  std::lock_guard lock(trouble_mutex_);
  return trouble_;
}

bool AppendOnly::Flush() {
  return log_ == nullptr || log_->Flush(true);
}

std::string_view AppendOnly::WhyIncomplete() const {
  if (state_ == State::kAwaitingBase) return "Writing initial AOF";
  if (state_ == State::kOn && log_->doubtful())
    return "A failed fsync leaves doubts about what is in the AOF";
  return {};
}

const AppendOnly::Figures& AppendOnly::figures() {
  figures_.last_write_ok = Trouble().empty();
  if (log_ != nullptr) figures_.current_bytes = closed_bytes_ + log_->file_bytes() + log_->pending_bytes();
  return figures_;
}

// ---- rewriting ----

persistence::SnapshotOptions AppendOnly::BaseOptions() {
  persistence::SnapshotOptions options = snapshots_.Options();
  options.aof_base = true;
  options.annotated = services_.settings.persistence.aof_timestamp_enabled;
  const int64_t delay = services_.settings.testing.rdb_key_save_delay_micros;
  options.progress = [this, delay](uint64_t keys) {
    child_.Tell(keys);
    Snapshots::Delay(delay, keys);
  };
  return options;
}

BaseFormat AppendOnly::FormatAsked() const {
  return services_.settings.persistence.aof_use_rdb_preamble ? BaseFormat::kSnapshot : BaseFormat::kCommands;
}

Status AppendOnly::WriteBase(BaseFormat format, const persistence::SnapshotOptions& options,
                             const std::string& temporary, const std::string& path) {
  const config::Persistence& settings = services_.settings.persistence;
  const uint64_t sync_bytes = settings.aof_rewrite_incremental_fsync ? kSyncBytes : 0;
  const auto written =
      format == BaseFormat::kSnapshot
          ? persistence::WriteSnapshotFile(services_.keyspace, options, path, temporary, sync_bytes)
          : persistence::WriteCommandsFile(services_.keyspace, options, path, temporary, sync_bytes);
  if (written) return {};
  return std::unexpected(written.error());
}

Result<AppendOnly::Begun> AppendOnly::Rewrite() {
  if (rewriting()) return Fail("ERR Background append only file rewriting already in progress");
  if (child_.running() || InTransaction(services_)) {
    scheduled_ = true;
    return Begun::kScheduled;
  }
  TRY_STATUS(BeginRewrite());
  return Begun::kStarted;
}

Status AppendOnly::BeginRewrite() {
  TRY_STATUS(MakeFolder(Folder()));
  if (state_ == State::kOn) {
    TRY_STATUS(BeginIncrement());
  } else if (state_ == State::kAwaitingBase) {
    StartLog();
    unlink(TemporaryIncrement().c_str());
    AppendTo(TRY(OpenForAppending(TemporaryIncrement())), 0);
  }
  // Asked for here: a lock that another thread holds while the process forks is held in the child for ever.
  const persistence::SnapshotOptions options = BaseOptions();
  const BaseFormat format = FormatAsked();
  const Status begun = child_.Start(BackgroundChild::Purpose::kRewrite, [this, &options, format] {
    BindThisThread(services_.settings.general.aof_rewrite_cpulist, "aof-rewrite-cpulist", services_.log);
    const std::string temporary = TemporaryBase(getpid());
    const Status written = WriteBase(format, options, temporary + ".part", temporary);
    if (!written)
      services_.log.Warning("Can't rewrite append only file in background: {}", written.error().message);
    return written.has_value();
  });
  if (!begun) {
    figures_.last_rewrite_ok = false;
    return Fail("ERR Can't rewrite append only file in background: " + begun.error().message);
  }
  scheduled_ = false;
  writer_ = child_.pid();
  rewrite_format_ = format;
  SettingsChanged();
  services_.log.Notice("Background append only file rewriting started by pid {}", child_.pid());
  return {};
}

Status AppendOnly::FinishRewrite(pid_t child) {
  const config::Persistence& settings = services_.settings.persistence;
  AofManifest next = manifest_;
  const AofFile base = next.AddBase(settings.appendfilename, rewrite_format_);
  TRY_STATUS(Move(TemporaryBase(child), PathOf(base.name)));
  // A rewrite that began while the log was off has no increment, even if it was switched on since.
  const bool first = state_ == State::kAwaitingBase && log_ != nullptr;
  if (state_ == State::kOn) {
    next.RetireIncrementsBefore(rewrite_from_);
  } else {
    const int64_t newest = next.increments.empty() ? 0 : next.increments.back().sequence;
    next.RetireIncrementsBefore(newest + 1);
    if (first) {
      const AofFile increment = next.AddIncrement(settings.appendfilename);
      TRY_STATUS(Move(TemporaryIncrement(), PathOf(increment.name)));
      services_.log.Notice("Creating AOF incr file {} on background rewrite", increment.name);
    }
  }
  TRY_STATUS(PersistManifest(next));
  manifest_ = std::move(next);
  if (state_ == State::kOn && log_ != nullptr) log_->TrustAgain(failures_before_rewrite_, rewrite_offset_);
  if (first) state_ = State::kOn;
  DeleteHistory();
  closed_bytes_ = SizeOf(PathOf(base.name)).value_or(0);
  figures_.base_bytes = log_ == nullptr ? closed_bytes_ : figures().current_bytes;
  services_.log.Notice("Successfully created the temporary AOF base file {}", base.name);
  return {};
}

void AppendOnly::DeleteHistory() {
  if (services_.settings.persistence.aof_disable_auto_gc || manifest_.history.empty()) return;
  for (const AofFile& file : manifest_.history) {
    services_.log.Notice("Removing the history file {} in the background", file.name);
    services_.control.Defer([path = PathOf(file.name)] { unlink(path.c_str()); });
  }
  manifest_.history.clear();
  // When this fails the files are named once more at the next start, which finds them gone.
  [[maybe_unused]] const Status written = PersistManifest(manifest_);
}

void AppendOnly::RemoveTemporaryBase() {
  unlink(TemporaryBase(writer_).c_str());
  unlink((TemporaryBase(writer_) + ".part").c_str());
}

// At once: the next try makes a file of the same name. The log has it open, so that its space is given back
// when the log's thread closes it.
void AppendOnly::RemoveTemporaryIncrement() {
  services_.log.Notice("Removing the temp incr aof file {} in the background", TemporaryIncrement());
  unlink(TemporaryIncrement().c_str());
}

void AppendOnly::Abandon() {
  if (!rewriting()) return;
  services_.log.Notice("Killing running AOF rewrite child: {}", child_.pid());
  child_.Stop();
  RemoveTemporaryBase();
  if (state_ == State::kAwaitingBase) scheduled_ = true;  // for the case that a shutdown fails
}

void AppendOnly::OnChildEnded(const BackgroundChild::Outcome& outcome) {
  using How = BackgroundChild::Outcome::How;
  figures_.last_rewrite_seconds = outcome.took / kMillisPerSecond;
  figures_.last_copied_bytes = outcome.copied_bytes;
  SettingsChanged();
  bool done = outcome.how == How::kDone;
  if (done) {
    if (const Status finished = FinishRewrite(writer_); !finished) {
      services_.log.Warning("{}", finished.error().message);
      done = false;
    }
  }
  if (done) {
    services_.log.Notice("Background AOF rewrite finished successfully");
    figures_.last_rewrite_ok = true;
    figures_.rewrite_failures_in_a_row = 0;
    retry_at_ = 0;
    ++figures_.rewrites;
    return;
  }
  RemoveTemporaryBase();
  if (outcome.how != How::kStopped) {
    services_.log.Warning("Background AOF rewrite terminated with error");
    figures_.last_rewrite_ok = false;
    const uint64_t failures = ++figures_.rewrite_failures_in_a_row;
    const uint64_t doubled =
        failures < kPatientFailures ? 0 : std::min<uint64_t>(failures - kPatientFailures, 10);
    if (failures >= kPatientFailures) {
      retry_at_ = SystemMonotonicNanos() / kNanosPerMilli + std::min(kLongestPause, kFirstPause << doubled);
      told_of_limit_ = false;
    }
  }
  if (state_ != State::kAwaitingBase || log_ == nullptr) return;
  // The data set has no base yet: try again, with a new increment.
  RemoveTemporaryIncrement();
  scheduled_ = true;
}

// Whether the automatic rewriting has to wait, because it failed too often.
bool AppendOnly::Patient(int64_t growth) {
  const Millis left = retry_at_ - SystemMonotonicNanos() / kNanosPerMilli;
  if (left <= 0) return false;
  if (!std::exchange(told_of_limit_, true)) {
    services_.log.Warning(
        "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {} minutes "
        "(growth is {}%)",
        (left + kFirstPause - 1) / kFirstPause, growth);
  }
  return true;
}

void AppendOnly::Cron() {
  if (child_.running() || !services_.dispatchers[0]->long_commands().WorldIsFree()) return;
  const config::Persistence& settings = services_.settings.persistence;
  bool wanted = scheduled_;
  if (state_ == State::kOn && settings.auto_aof_rewrite_percentage > 0) {
    const uint64_t current = figures().current_bytes;
    const uint64_t base = std::max<uint64_t>(figures_.base_bytes, 1);
    const bool large = current > static_cast<uint64_t>(settings.auto_aof_rewrite_min_size_bytes);
    const int64_t growth = static_cast<int64_t>(current * 100 / base) - 100;
    if (large && growth >= settings.auto_aof_rewrite_percentage) {
      wanted = wanted || !Patient(growth);
      if (wanted) services_.log.Notice("Starting automatic rewriting of AOF on {}% growth", growth);
    }
  }
  // The disk works again, and nobody knows what the failed sync has dropped.
  if (state_ == State::kOn && log_->doubtful() && !log_->failing() && !Patient(0)) {
    services_.log.Warning("Rewriting the AOF, since a failed fsync leaves doubts about what is in it.");
    wanted = true;
  }
  if (!wanted) return;
  services_.dispatchers[0]->WithWorldStopped([this] {
    if (const Status begun = BeginRewrite(); !begun) services_.log.Warning("{}", begun.error().message);
  });
}

// ---- at run time ----

Status AppendOnly::SwitchOn() {
  if (state_ != State::kOff) return {};
  // One that began while nothing was appended cannot be the base of what is appended from now on.
  if (rewriting()) {
    services_.log.Warning(
        "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and "
        "starting a rewrite now.");
    Abandon();
  }
  state_ = State::kAwaitingBase;
  if (child_.running() || InTransaction(services_)) {
    services_.log.Warning(
        "AOF was enabled {}. An AOF background was scheduled to start when possible.",
        child_.running() ? "but there is already another background operation" : "during a transaction");
    scheduled_ = true;
    return {};
  }
  if (const Status begun = BeginRewrite(); !begun) {
    state_ = State::kOff;
    StopLog();
    services_.log.Warning(
        "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. {}",
        begun.error().message);
    return begun;
  }
  return {};
}

Status AppendOnly::SwitchOff() {
  if (state_ == State::kOff) return {};
  Abandon();
  if (state_ == State::kAwaitingBase && log_ != nullptr) RemoveTemporaryIncrement();
  state_ = State::kOff;
  scheduled_ = false;
  StopLog();
  return {};
}

}  // namespace cinnabar::server
