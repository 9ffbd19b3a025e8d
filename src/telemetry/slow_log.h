// SLOWLOG: the last commands that took longer than a threshold.
//
// The hot path asks ShouldLog, one relaxed load; only slow commands come to the mutex. An entry keeps trimmed
// copies: at most 32 arguments of at most 128 bytes, with a note of what was left out.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace cinnabar::telemetry {

struct SlowLogEntry {
  uint64_t id = 0;  // never used twice, Reset or not
  int64_t unix_seconds = 0;
  Micros duration = 0;
  std::vector<std::string> arguments;
  std::string client_address;
  std::string client_name;
};

// Safe on any thread.
class SlowLog {
 public:
  static constexpr size_t kArgumentsMax = 32;
  static constexpr size_t kArgumentBytesMax = 128;
  static constexpr Micros kDisabled = -1;

  explicit SlowLog(Micros threshold = 10'000, size_t entries_max = 128)
      : threshold_(threshold), entries_max_(entries_max) {}

  // Negative disables, 0 takes every command.
  void SetThreshold(Micros threshold) { threshold_.store(threshold, std::memory_order_relaxed); }
  bool ShouldLog(Micros duration) const {
    const Micros threshold = threshold_.load(std::memory_order_relaxed);
    return threshold >= 0 && duration >= threshold;
  }

  // Takes the command whatever the threshold. Sensitive arguments arrive already redacted.
  void Add(int64_t unix_seconds, Micros duration, std::span<const std::string_view> arguments,
           std::string_view client_address, std::string_view client_name);

  // The newest first.
  std::vector<SlowLogEntry> Newest(size_t count) const;
  size_t Size() const;
  void Reset();
  void SetEntriesMax(size_t entries_max);

 private:
  std::atomic<Micros> threshold_;
  mutable std::mutex mutex_;  // guards what follows
  size_t entries_max_;
  uint64_t next_id_ = 0;
  std::deque<SlowLogEntry> entries_;  // the newest in front
};

}  // namespace cinnabar::telemetry
