// AppendLog: the append-only file as a running log. One thread of its own writes and syncs; whoever appends
// only copies bytes and goes on.
//
//   cores: Append -> pending segments -> [writer thread] write(2) -> fdatasync(2) as the policy asks ->
//   Listener
//
// Offsets are those of the journal: `durable()` says up to where the stream is on disk, which opens the gate
// of replies under `always` (DESIGN §6). A segment belongs to one file: Rotate lets what follows go to the
// next file of the log, after everything before it has been written to its own.
//
// A write that fails leaves no torn record: what was written of it is cut off again, and the same bytes are
// tried again every second. What becomes of clients meanwhile is the listener's policy.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "os/allocator.h"

namespace cinnabar::persistence {

enum class SyncPolicy : uint8_t { kAlways, kEverySecond, kNo };

class AppendLog {
 public:
  // Called on the writer thread.
  class Listener {
   public:
    virtual ~Listener() = default;
    // Everything before `offset` has been written (and, with kAlways, synced).
    virtual void OnReleased(uint64_t offset) = 0;
    // A write or sync failed; `message` is for the log. Called for the first failure of a series.
    virtual void OnFailed(const Error& error) = 0;
    virtual void OnRecovered() = 0;
  };

  // `meter`, if any, counts what the writer thread frees.
  explicit AppendLog(Listener& listener, os::MemoryMeter* meter = nullptr);
  // Writes and syncs what is pending, then ends. What cannot be written by then is lost, as was reported.
  ~AppendLog();

  // The file for what is appended from now on, opened for appending, with `size` bytes in it; owned. Files
  // before it are synced and closed once everything of theirs is written. REQUIRES: nobody appends at the
  // moment.
  void Rotate(int fd, uint64_t size);
  // No file: nothing may be appended any more. REQUIRES: nobody appends.
  void Close();

  // Bytes of the journal that end at `end_offset`. Copies them. The writer is not woken for each: Kick does.
  void Append(uint64_t end_offset, std::string_view bytes);
  // Lets the writer look now; without it it looks within a millisecond while the log is in use.
  void Kick();
  // Waits until everything that was appended so far is written (and synced, if asked). After a failure it is
  // tried once more at once; false when that failed too.
  bool Flush(bool sync);

  void SetPolicy(SyncPolicy policy) { policy_.store(policy, std::memory_order_relaxed); }
  // While true nothing is synced but with kAlways (no-appendfsync-on-rewrite).
  void HoldSyncs(bool hold) { hold_syncs_.store(hold, std::memory_order_relaxed); }

  uint64_t written() const { return written_.load(std::memory_order_acquire); }
  uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
  bool failing() const { return failing_.load(std::memory_order_relaxed); }
  // Of the file that is written to.
  uint64_t file_bytes() const { return file_bytes_.load(std::memory_order_relaxed); }
  size_t pending_bytes() const;
  // Memory of what is not written yet, the part that is being written included.
  size_t memory() const { return memory_.load(std::memory_order_relaxed); }
  uint64_t sync_count() const { return syncs_.load(std::memory_order_relaxed); }
  // Syncs that took longer than a second.
  uint64_t delayed_syncs() const { return delayed_syncs_.load(std::memory_order_relaxed); }

 private:
  struct Segment {
    int fd = -1;
    uint64_t file_bytes = 0;  // with `opens`: what the file holds already
    uint64_t end_offset = 0;
    std::string bytes = {};
    bool opens = false;   // the file begins here
    bool closes = false;  // the file ends here
  };

  void Run();
  void WriteBatch(std::deque<Segment> batch);
  void Forget(const Segment& segment);
  void WaitForWork(std::unique_lock<std::mutex>& lock);
  void WaitToTryAgain(std::unique_lock<std::mutex>& lock);
  // False when it has to be tried again.
  bool WriteSegment(Segment& segment);
  bool SyncAsPolicyAsks(bool wanted);
  bool Sync();
  void NoteFailure(const char* call, int code);
  void NoteSuccess();
  void Release();

  Listener& listener_;
  std::atomic<SyncPolicy> policy_{SyncPolicy::kEverySecond};
  std::atomic<bool> hold_syncs_{false};

  mutable std::mutex mutex_;
  std::condition_variable work_;     // for the writer
  std::condition_variable settled_;  // for Flush
  std::deque<Segment> pending_;
  size_t pending_bytes_ = 0;
  std::atomic<size_t> memory_{0};
  int fd_ = -1;
  bool stopping_ = false;
  bool asleep_ = false;
  bool kicked_ = false;
  bool sync_wanted_ = false;
  uint64_t rounds_ = 0;        // of the writer
  uint64_t failed_tries_ = 0;  // of writing or syncing
  uint64_t appended_ = 0;

  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> durable_{0};
  std::atomic<uint64_t> file_bytes_{0};
  std::atomic<bool> failing_{false};
  std::atomic<uint64_t> syncs_{0};
  std::atomic<uint64_t> delayed_syncs_{0};
  os::MemoryMeter* const meter_;
  // The writer thread's own:
  int current_fd_ = -1;
  int64_t last_sync_millis_ = 0;
  bool unsynced_ = false;
  std::thread thread_;
};

}  // namespace cinnabar::persistence
