// Snapshots: SAVE, BGSAVE, the save points, and what INFO tells of them.
//
// Owned by core 0's thread; everything is called with the world stopped, but Cron, which stops it itself when
// it begins a snapshot.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "dispatch/services.h"
#include "persistence/snapshot_writer.h"
#include "server/background_child.h"

namespace cinnabar::server {

// Whether some core is within a transaction: then no child begins, whose data set would hold half of it. With
// the world stopped.
bool InTransaction(const dispatch::Services& services);

class Snapshots {
 public:
  using Begun = dispatch::DataFiles::Begun;
  using When = dispatch::DataFiles::When;

  struct Figures {
    bool last_ok = true;            // the last background snapshot
    int64_t last_save_seconds = 0;  // wall clock
    int64_t last_took_seconds = -1;
    uint64_t saves = 0;
    uint64_t last_copied_bytes = 0;
    uint64_t keys_total = 0;  // when the running one began
  };

  Snapshots(dispatch::Services& services, BackgroundChild& child);

  Status Save();
  Result<Begun> SaveInBackground(When when);
  // The same for replicas: the world is stopped, and no child is running. `ended` of the listener is called
  // once for each, with the world stopped.
  Status BeginForReplicas() { return Begin(Reader::kReplicas, -1, false); }
  // Into a pipe that replicas are fed from, instead of a file.
  Status BeginInto(int fd, bool without_data) { return Begin(Reader::kPipe, fd, without_data); }
  void OnEndedForReplicas(std::function<void(bool written)> listener) { ended_ = std::move(listener); }
  // Called before a child is ended that writes into a pipe: its reader is to close it, so that the child
  // cannot be stuck in a write.
  void BeforeAbandoning(std::function<void()> listener) { abandoning_ = std::move(listener); }
  void DataSetEmptied();
  // Ends a snapshot that is being written in the background, and removes what there is of it.
  void Abandon();
  // For a signal handler that ends the process: removes what Save is writing at this moment.
  void RemoveUnfinished() const;
  // A snapshot is due, or has been waiting for another child to end. About ten times a second.
  void Cron();
  void OnChildEnded(const BackgroundChild::Outcome& outcome);

  const Figures& figures() const { return figures_; }
  uint64_t changes_since_save() const { return Changes() - changes_at_save_; }
  bool in_progress() const;
  // Whether stop-writes-on-bgsave-error applies.
  bool refuses_writes() const;
  // After the data set was loaded: it is what the file holds.
  void NoteLoaded();
  std::string path() const;

  persistence::SnapshotOptions Options() const;
  // Waits as rdb-key-save-delay asks for after each key.
  static void Delay(int64_t delay_micros, uint64_t keys);

 private:
  uint64_t Changes() const;
  bool SavePointReached() const;
  // Who reads what a child writes.
  enum class Reader : uint8_t { kNobody, kReplicas, kPipe };
  Status Begin(Reader reader = Reader::kNobody, int fd = -1, bool without_data = false);
  bool WriteInChild(int fd, const persistence::SnapshotOptions& options, const std::string& target);
  void TellReplicas(bool written);
  std::string TemporaryPath(pid_t pid) const;

  dispatch::Services& services_;
  BackgroundChild& child_;
  Figures figures_;
  uint64_t changes_at_save_ = 0;
  uint64_t changes_at_fork_ = 0;
  int64_t last_try_seconds_ = 0;
  bool scheduled_ = false;
  Reader reader_ = Reader::kNobody;
  std::function<void(bool)> ended_;
  std::function<void()> abandoning_;
  pid_t writer_ = 0;                              // of the temporary file that is being written
  std::string own_path_;                          // the last temporary file of Save
  std::atomic<const char*> unfinished_{nullptr};  // the same while it is being written
};

}  // namespace cinnabar::server
