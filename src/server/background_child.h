// BackgroundChild: the forked child that writes a snapshot or the base of an append-only file. There is one
// at a time.
//
// The child sees the data set as it was at the fork; the kernel copies the pages that the parent changes
// meanwhile. It is made with the world stopped, so that nothing is half done in what it sees.
//
// Owned by core 0's thread; figures may be read by others while the world is stopped.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"

namespace cinnabar::server {

class BackgroundChild {
 public:
  enum class Purpose : uint8_t { kNone, kSnapshot, kRewrite };

  // What the child tells while it works; in memory that both share.
  struct Progress {
    std::atomic<uint64_t> keys{0};
    std::atomic<uint64_t> copied_bytes{0};  // by the kernel, because of writes after the fork
    std::atomic<int64_t> copied_at{0};      // monotonic milliseconds of that figure
  };

  struct Outcome {
    Purpose purpose;
    enum class How : uint8_t { kDone, kFailed, kStopped } how;
    int signal;  // that ended it; 0: it exited
    Millis took;
    uint64_t copied_bytes;
  };

  // `started` is called after each fork, in the parent.
  BackgroundChild(Logger& log, std::function<void(std::string_view)> set_title,
                  std::function<void()> started);
  ~BackgroundChild();

  // Any thread.
  bool running() const { return pid_.load(std::memory_order_relaxed) > 0; }
  pid_t pid() const { return pid_; }
  Purpose purpose() const { return purpose_; }
  Millis running_for() const;
  Progress& progress() { return *progress_; }
  Micros last_fork_micros() const { return last_fork_micros_; }
  uint64_t forks() const { return forks_; }

  // `work` runs in the child; true: it is done. It reports every key with Tell. REQUIRES: !running(), the
  // world is stopped.
  // `kept_fd`: a descriptor that the child needs.
  Status Start(Purpose purpose, std::function<bool()> work, int kept_fd = -1);
  // For the child: notes the progress, and the copied bytes once a second.
  void Tell(uint64_t keys);
  // Whether the child has ended and Poll would say so. It still counts as running.
  bool Ended() const;
  // Whether the child has ended since the last call. Does not wait.
  std::optional<Outcome> Poll();
  // Ends the child and waits for it.
  void Stop();

 private:
  [[noreturn]] void RunChild(pid_t parent, const std::function<bool()>& work, int kept_fd);
  Outcome Reap(int status);

  Logger& log_;
  std::function<void(std::string_view)> set_title_;
  std::function<void()> started_hook_;
  Progress* progress_;
  std::atomic<pid_t> pid_{-1};
  Purpose purpose_ = Purpose::kNone;
  Millis started_ = 0;
  Micros last_fork_micros_ = 0;
  uint64_t forks_ = 0;
};

}  // namespace cinnabar::server
