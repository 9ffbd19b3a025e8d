// LATENCY: a short history of the worst delays, per kind of event ("command", "fork", "expire-cycle", …).
//
// Each event keeps its last 160 samples, at most one per second: within a second the worst one stays. The hot
// path asks ShouldRecord, one relaxed load; only delays above the threshold come to the mutex.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace cinnabar::telemetry {

struct LatencySample {
  int64_t unix_seconds = 0;
  Millis latency = 0;

  bool operator==(const LatencySample&) const = default;
};

struct LatencyLatest {
  std::string event;
  LatencySample latest;
  Millis all_time_max = 0;
};

// Safe on any thread.
class LatencyMonitor {
 public:
  static constexpr size_t kSamplesMax = 160;

  // 0 disables.
  void SetThreshold(Millis threshold) { threshold_.store(threshold, std::memory_order_relaxed); }
  Millis threshold() const { return threshold_.load(std::memory_order_relaxed); }
  bool ShouldRecord(Millis latency) const {
    const Millis threshold = this->threshold();
    return threshold != 0 && latency >= threshold;
  }

  // Takes the sample whatever the threshold.
  void Add(std::string_view event, Millis latency, int64_t unix_seconds);
  void AddIfSlow(std::string_view event, Millis latency, int64_t unix_seconds) {
    if (ShouldRecord(latency)) Add(event, latency, unix_seconds);
  }

  std::vector<LatencyLatest> Latest() const;                         // by name
  std::vector<LatencySample> History(std::string_view event) const;  // the oldest first

  // How many events were forgotten.
  size_t Reset();
  size_t Reset(std::string_view event);

  // A picture of the history for a terminal; nothing if the event is unknown.
  std::optional<std::string> Graph(std::string_view event, int64_t now_unix_seconds) const;

  // A report in words, with advice.
  std::string Doctor() const;

 private:
  struct Series {
    std::array<LatencySample, kSamplesMax> ring{};
    size_t next = 0;
    size_t size = 0;
    Millis all_time_max = 0;

    LatencySample& Last() { return ring[(next + kSamplesMax - 1) % kSamplesMax]; }
    const LatencySample& Last() const { return ring[(next + kSamplesMax - 1) % kSamplesMax]; }
    std::vector<LatencySample> InOrder() const;
  };

  std::atomic<Millis> threshold_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Series, std::less<>> events_;
};

}  // namespace cinnabar::telemetry
