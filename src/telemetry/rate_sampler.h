// "Instantaneous" rates of INFO: the mean of the last 16 samples, one taken about every 100 ms.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace cinnabar::telemetry {

// Cron's thread samples, any thread reads.
class RateSampler {
 public:
  // `reading` is an ever-growing total. The first call only sets the start.
  void Sample(Millis now, uint64_t reading);

  uint64_t PerSecond() const;

  // Forgets the samples (CONFIG RESETSTAT), and the total if that was set back too. Cron's thread, or any
  // while it stands still.
  void Reset();

 private:
  static constexpr size_t kSamples = 16;

  std::array<std::atomic<uint64_t>, kSamples> samples_{};
  size_t next_ = 0;
  bool started_ = false;
  Millis last_time_ = 0;
  uint64_t last_reading_ = 0;
};

}  // namespace cinnabar::telemetry
