// AppendOnly: the life of the append-only file: which files there are, what is written where, when it is
// rewritten.
//
//   DIR/appenddirname/NAME.manifest     the list (persistence/aof_manifest.h)
//                     NAME.N.base.rdb   the data set at some offset of the journal
//                     NAME.N.incr.aof   the journal from there on
//
// A rewrite stops the world, lets the journal go on in a new increment, and forks; when the child has written
// the new base, the manifest names base and increment, and the older files are deleted. A crash at any point
// leaves a manifest whose files together are the data set.
//
// Owned by core 0's thread; called with the world stopped, but Cron, OnChildEnded and the listener's calls.
// Size: it implements two ports, and INFO persistence shows each of its figures.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "dispatch/services.h"
#include "journal/journal.h"
#include "persistence/aof_manifest.h"
#include "persistence/append_log.h"
#include "server/background_child.h"
#include "server/data_loader.h"
#include "server/snapshots.h"

namespace cinnabar::server {

class AppendOnly final : public journal::JournalSink, public persistence::AppendLog::Listener {
 public:
  using Begun = dispatch::DataFiles::Begun;

  struct Figures {
    bool last_rewrite_ok = true;
    bool last_write_ok = true;
    int64_t last_rewrite_seconds = -1;
    uint64_t rewrites = 0;
    uint64_t rewrite_failures_in_a_row = 0;
    uint64_t last_copied_bytes = 0;
    uint64_t base_bytes = 0;     // size of all files after the last rewrite, or at start
    uint64_t current_bytes = 0;  // size of all files now
  };

  // `released` is called on the writer thread when more of the journal is on disk.
  AppendOnly(dispatch::Services& services, BackgroundChild& child, Snapshots& snapshots,
             std::function<void(uint64_t)> released, os::MemoryMeter& meter);
  ~AppendOnly() override;

  // Start-up: reads the manifest (an old single file is taken over into the folder) and names what is to be
  // loaded.
  Result<std::vector<LoadPart>> FindFiles();
  // What the manifest names, in the order of loading.
  std::vector<LoadPart> Files() const;
  // Start-up, once the data set is loaded: opens the last increment for writing; a first base is written when
  // there are no files yet.
  Status OpenAfterLoading();

  // appendonly yes | no at run time.
  Status SwitchOn();
  Status SwitchOff();
  void SettingsChanged();

  Result<Begun> Rewrite();
  // Ends a rewrite that is going on, and removes what there is of the new base.
  void Abandon();
  // Reads the manifest again, as a start does.
  Status ReadManifest();
  void Cron();
  void OnChildEnded(const BackgroundChild::Outcome& outcome);
  // Everything that was appended is written and synced. False when that fails.
  bool Flush();
  // At the end of a core's turn, and before replies leave. Any core.
  void Kick() {
    if (log_ != nullptr) return log_->Kick();
    released_(services_.journal.offset());  // it is on, but its first base waits for another child
  }

  // Why a restart would not find all that was acknowledged, even after a Flush; empty if it would.
  std::string_view WhyIncomplete() const;

  bool on() const { return state_ != State::kOff; }
  bool rewriting() const {
    return child_.running() && child_.purpose() == BackgroundChild::Purpose::kRewrite;
  }
  bool rewrite_scheduled() const { return scheduled_; }
  const Figures& figures();
  const persistence::AppendLog* log() const { return log_.get(); }
  // Memory of what is still to be written.
  size_t memory() const { return log_ == nullptr ? 0 : log_->memory(); }
  // The text of the last failure of a write; empty while writes succeed.
  std::string Trouble() const;
  // How much of the journal a crash cannot take away any more. Nothing as long as the data set has no base.
  uint64_t durable() const { return state_ == State::kOn ? std::max(log_from_, log_->durable()) : 0; }

  // journal::JournalSink:
  void OnBytes(uint64_t offset, std::string_view bytes) override;
  void OnRaw(uint64_t offset, std::string_view bytes, int database_before, int database_behind) override;
  void OnControl(uint64_t offset, std::string_view bytes) override;
  void OnMixed(uint64_t offset, std::string_view bytes, std::string_view kept) override {
    Write(offset, offset + bytes.size(), kept);
    raw_database_ = -1;
  }
  void OnLocal(uint64_t offset, std::string_view bytes) override;
  // AppendLog::Listener:
  void OnReleased(uint64_t offset) override { released_(offset); }
  void OnFailed(const Error& error) override;
  void OnRecovered() override;

 private:
  enum class State : uint8_t {
    kOff,
    kOn,
    kAwaitingBase,  // switched on at run time: the increment has a temporary name until its base is there
  };

  // Bytes of the journal from `offset` to `end`.
  void Write(uint64_t offset, uint64_t end, std::string_view bytes);
  std::string Folder() const;
  std::string PathOf(const std::string& name) const { return Folder() + "/" + name; }
  std::string TemporaryBase(pid_t pid) const;
  std::string TemporaryIncrement() const;
  Status PersistManifest(const persistence::AofManifest& manifest);
  Status TakeOverOldFile();
  void AppendTo(int fd, uint64_t size);
  Status BeginIncrement();
  persistence::SnapshotOptions BaseOptions();
  persistence::BaseFormat FormatAsked() const;
  Status WriteBase(persistence::BaseFormat format, const persistence::SnapshotOptions& options,
                   const std::string& temporary, const std::string& path);
  Status BeginRewrite();
  Status FinishRewrite(pid_t child);
  void RemoveTemporaryBase();
  void RemoveTemporaryIncrement();
  bool Patient(int64_t growth);
  void DeleteHistory();
  void StartLog();
  void StopLog();
  uint64_t SizeOfFiles() const;

  dispatch::Services& services_;
  BackgroundChild& child_;
  Snapshots& snapshots_;
  std::function<void(uint64_t)> released_;
  os::MemoryMeter& meter_;
  State state_ = State::kOff;
  persistence::AofManifest manifest_;
  std::unique_ptr<persistence::AppendLog> log_;
  // The threads of the log read it: the settings may change under them.
  std::atomic<persistence::SyncPolicy> policy_{persistence::SyncPolicy::kEverySecond};
  int64_t last_timestamp_ = 0;
  // Selected at the end of the file by what another server's stream has put there; -1: unknown, or this
  // server's own records, which select for themselves.
  int raw_database_ = -1;
  persistence::BaseFormat rewrite_format_ = persistence::BaseFormat::kSnapshot;  // of what the child writes
  int64_t rewrite_from_ = 0;              // the first increment that the running rewrite keeps
  uint64_t rewrite_offset_ = 0;           // of the journal, where that increment begins
  uint64_t failures_before_rewrite_ = 0;  // of syncs
  pid_t writer_ = 0;
  bool scheduled_ = false;
  Millis retry_at_ = 0;
  bool told_of_limit_ = false;
  Figures figures_;
  uint64_t closed_bytes_ = 0;            // of the files before the current increment
  const std::vector<int> unbound_cpus_;  // that the process may use
  uint64_t log_from_ = 0;  // where the journal was when the log began: the base holds what came before
  mutable std::mutex trouble_mutex_;
  std::string trouble_;
};

}  // namespace cinnabar::server
