// Snapshots: SAVE, BGSAVE, the save points, and what INFO tells of them.
//
// Owned by core 0's thread; everything is called with the world stopped, but Cron, which stops it itself when
// it begins a snapshot.
#pragma once

#include <string>

#include "dispatch/services.h"
#include "persistence/snapshot_writer.h"
#include "server/background_child.h"

namespace cinnabar::server {

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
  void DataSetEmptied();
  // Ends the running one, if any.
  void Stop();
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

 private:
  uint64_t Changes() const;
  bool SavePointReached() const;
  Status Begin();
  std::string TemporaryPath(pid_t pid) const;

  dispatch::Services& services_;
  BackgroundChild& child_;
  Figures figures_;
  uint64_t changes_at_save_ = 0;
  uint64_t changes_at_fork_ = 0;
  int64_t last_try_seconds_ = 0;
  bool scheduled_ = false;
  pid_t writer_ = 0;  // of the temporary file that is being written
};

}  // namespace cinnabar::server
