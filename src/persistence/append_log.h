// AppendLog: the append-only file as a running log. A thread that appends only copies bytes; at the end of
// its turn it calls Kick, and the bytes go to the file.
//
//   cores: Append -> tail --Kick, always----> [writer thread] write(2), fdatasync(2) -> Listener
//                         \-Kick, otherwise-> write(2) in place -> Listener     [syncer thread] fdatasync(2)
//                          \--when that could take long--> [writer thread] write(2) -> Listener
//
// Replies wait for `released()` (DESIGN §6): under `always` for what is on disk, under the other policies for
// what the kernel has, so that the end of this process alone loses nothing. A write into the kernel's memory
// takes microseconds, less than waking a thread: the thread that kicks does it. But it can take long while a
// sync is going on, on a disk that cannot keep up, or when it fails. Then the writer thread takes over,
// replies wait for it, and no core does.
//
// Offsets are those of the journal. Bytes belong to one file: Rotate lets what follows go to the next file of
// the log, after everything before it has been written to its own and synced.
//
// A write that fails leaves no torn record: what was written of it is cut off again, and the same bytes are
// tried again every second. What becomes of clients meanwhile is the listener's policy; but only under
// `always` do their replies wait for a disk that is full: under the others they tell of what is in memory, as
// if there were no file.
//
// Thread-safe.
// Size: two threads and all cores meet in it: a member for each thing that they tell each other, most of them
// atomic, and the figures that INFO reads without a lock.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/brief_lock.h"
#include "base/clock.h"
#include "base/result.h"
#include "os/allocator.h"
#include "os/fork_shelter.h"

namespace cinnabar::persistence {

enum class SyncPolicy : uint8_t { kAlways, kEverySecond, kNo };

class AppendLog {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // Replies that tell of what is before `offset` may leave, or more than before is on disk. On any thread,
    // that of a Kick too; calls may overtake each other.
    virtual void OnReleased(uint64_t offset) = 0;
    // A write or sync failed; `message` is for the log. Called for the first failure of a series, on a thread
    // of the log, as is the next.
    virtual void OnFailed(const Error& error) = 0;
    virtual void OnRecovered() = 0;
  };

  // `meter`, if any, counts what the threads of the log free.
  explicit AppendLog(Listener& listener, os::MemoryMeter* meter = nullptr);
  // Writes and syncs what is pending, then ends. What cannot be written by then is lost, as was reported.
  ~AppendLog();

  // The file for what is appended from now on, opened for appending, with `size` bytes in it; owned. Files
  // before it are synced and closed once everything of theirs is written. REQUIRES: nobody appends at the
  // moment.
  void Rotate(int fd, uint64_t size);
  // No file: nothing may be appended any more. REQUIRES: nobody appends.
  void Close();

  // Bytes of the journal that end at `end_offset`. Copies them. They stay until somebody calls Kick.
  void Append(uint64_t end_offset, std::string_view bytes);
  // Lets what was appended go its way: afterwards it is written, or a thread is at it. Cheap when there is
  // nothing.
  void Kick();
  // Waits until everything that was appended so far is written (and synced, if asked). After a failure it is
  // tried once more at once; false when that failed too.
  bool Flush(bool sync);

  void SetPolicy(SyncPolicy policy);
  // While true nothing is synced but with kAlways (no-appendfsync-on-rewrite).
  void HoldSyncs(bool hold);

  uint64_t written() const { return written_.load(std::memory_order_acquire); }
  uint64_t durable() const;
  // A sync failed. What it was for may be gone from the system's memory, and a later sync that succeeds says
  // nothing about it (Rebello et al., Can Applications Recover from fsync Failures?, USENIX ATC 2020):
  // nothing more counts as durable until all of it is written elsewhere.
  bool doubtful() const { return sync_failures_.load() != forgiven_failures_.load(); }
  uint64_t sync_failures() const { return sync_failures_.load(); }
  // What came before `offset` is on disk elsewhere, and what came after it in a file that began there. Does
  // nothing if a sync has failed since there were `failures`.
  void TrustAgain(uint64_t failures, uint64_t offset);
  bool failing() const { return failing_.load(std::memory_order_relaxed) != 0; }
  // Of the file that is written to.
  uint64_t file_bytes() const { return file_bytes_.load(std::memory_order_relaxed); }
  size_t pending_bytes() const {
    const uint64_t settled = settled_bytes_.load(std::memory_order_acquire);
    return appended_bytes_.load(std::memory_order_relaxed) - settled;
  }
  // Memory of what is not written yet, the part that is being written included.
  size_t memory() const { return memory_.load(std::memory_order_relaxed); }
  uint64_t sync_count() const { return syncs_.load(std::memory_order_relaxed); }
  // Syncs that took longer than a second.
  uint64_t delayed_syncs() const { return delayed_syncs_.load(std::memory_order_relaxed); }

 private:
  struct File {
    int fd;
    explicit File(int descriptor) : fd(descriptor) {}
    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;
  };
  struct Segment {
    std::shared_ptr<File> file = nullptr;
    uint64_t file_bytes = 0;  // with `opens`: what the file holds already
    uint64_t end_offset = 0;
    std::string bytes = {};
    bool opens = false;   // the file begins here
    bool closes = false;  // the file ends here
  };
  // Why the thread that kicks leaves the writing to the writer thread.
  enum HandsOff : uint32_t { kWriterAtWork = 1, kSyncing = 2 };
  enum Failing : uint32_t { kWriteFails = 1, kSyncFails = 2 };

  // As far as syncs say.
  uint64_t synced() const { return synced_.load(std::memory_order_acquire); }

  // Of the thread that kicks.
  bool WriteHere();
  bool TryFile(std::unique_lock<std::mutex>& file);
  void WakeWriter();

  // Of the writer thread.
  void RunWriter();
  void WriteBatch(os::ForkShelter& shelter);
  // How long, at most, a sync waits for more to come, and for how much.
  struct Gathering {
    uint64_t enough = 0;  // when so much is appended
    std::chrono::nanoseconds gap{};
    std::chrono::steady_clock::time_point until{};
  };
  Gathering NextGathering(uint64_t released_bytes) const;
  void GatherMore(std::unique_lock<std::mutex>& lock, const Gathering& gathering);
  void TakeBatch();
  bool WaitToTryAgain(os::ForkShelter& shelter);
  bool SyncWithPatience(os::ForkShelter& shelter);

  void RunSyncer();
  // A sync that is due at the moment, or will be.
  bool WantsSyncs() const;

  // The error number, or 0. REQUIRES: file_mutex_ is held.
  int WriteSegment(Segment& segment);
  void NoteWritten(Segment& segment, size_t bytes);
  bool Sync();
  void NoteFailure(Failing what, const char* call, int code);
  void NoteSuccess(Failing what);
  void Release();

  Listener& listener_;
  os::MemoryMeter* const meter_;
  std::atomic<SyncPolicy> policy_{SyncPolicy::kEverySecond};
  std::atomic<bool> hold_syncs_{false};
  std::atomic<uint32_t> hands_off_{0};
  std::atomic<int64_t> slow_until_millis_{0};  // the disk is: cores do not write

  // What is to be written.
  BriefLock tail_lock_;
  std::deque<Segment> earlier_;  // everything before the tail: ends and beginnings of files
  std::shared_ptr<File> file_;   // what is appended belongs to it
  std::string tail_;

  // The state of the threads.
  mutable std::mutex mutex_;
  std::condition_variable work_;       // for the writer
  std::condition_variable sync_work_;  // for the syncer
  std::condition_variable settled_;    // for Flush
  bool stopping_ = false;
  bool kicked_ = false;
  bool flush_waits_ = false;  // a failure is tried again at once
  bool sync_wanted_ = false;
  uint64_t rounds_ = 0;        // of the writer
  uint64_t failed_tries_ = 0;  // of writing or syncing

  // Held while something is written. Before the other two.
  std::mutex file_mutex_;
  std::shared_ptr<File> current_;  // what is written to
  std::deque<Segment> batch_;      // what the writer has taken, or a core could not write
  Segment direct_;                 // of the thread that kicks; keeps its memory

  std::atomic<uint64_t> appended_{0};
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> synced_{0};
  std::atomic<uint64_t> sync_failures_{0};
  std::atomic<uint64_t> forgiven_failures_{0};
  std::atomic<uint64_t> durable_before_{0};  // the first failure in doubt
  std::atomic<uint64_t> file_bytes_{0};
  std::atomic<uint64_t> appended_bytes_{0};
  std::atomic<uint64_t> settled_bytes_{0};  // written, or given up
  std::atomic<size_t> memory_{0};
  std::atomic<bool> unsynced_{false};
  std::atomic<uint32_t> failing_{0};
  std::atomic<uint64_t> syncs_{0};
  std::atomic<uint64_t> delayed_syncs_{0};
  std::atomic<Nanos> sync_nanos_{0};           // that the last sync took
  std::atomic<uint64_t> appended_at_sync_{0};  // when it ended
  std::thread writer_;
  std::thread syncer_;
};

}  // namespace cinnabar::persistence
