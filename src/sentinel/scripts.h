// The queue of scripts that people want to have run when something happens (notification-script and
// client-reconfig-script).
//
// A script is started with the next tick, if not too many run. Exit code 1, or a signal, means: again, later,
// twice as long each time; any other code ends it. One that runs for too long is killed, which counts as a
// signal.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "sentinel/port.h"

namespace cinnabar::sentinel {

class Scripts {
 public:
  struct Limits {
    size_t queued = 256;
    size_t running = 16;
    int attempts = 10;
  };
  struct Job {
    uint64_t number = 0;
    std::string path;
    std::vector<std::string> arguments;
    bool running = false;
    int attempts = 0;
    Millis start_at = 0;  // earliest; running: when it was started
    bool killed = false;
    int64_t process = 0;  // of the system; 0: it does not run
  };

  explicit Scripts(SentinelPort& port) : port_(port) {}

  // The oldest one that waits goes when the queue is full.
  void Add(std::string path, std::vector<std::string> arguments);
  void OnTick(Millis now, Millis max_runtime);
  void Ended(uint64_t number, std::optional<int> exit_code, int signal, Millis now, Millis retry_delay);

  const std::deque<Job>& jobs() const { return jobs_; }
  size_t running() const;
  void SetLimits(const Limits& limits) { limits_ = limits; }

 private:
  static constexpr Millis kFailedStartDelay = 1000;

  // Later, or never again.
  void Repeat(uint64_t number, Millis now, Millis retry_delay);

  SentinelPort& port_;
  Limits limits_;
  std::deque<Job> jobs_;
  std::vector<uint64_t> failed_;  // could not be started in this tick
  uint64_t last_number_ = 0;
};

}  // namespace cinnabar::sentinel
