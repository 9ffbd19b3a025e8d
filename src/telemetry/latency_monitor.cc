#include "telemetry/latency_monitor.h"

#include <algorithm>

#include "telemetry/internal/latency_report.h"

namespace cinnabar::telemetry {

std::vector<LatencySample> LatencyMonitor::Series::InOrder() const {
  std::vector<LatencySample> samples;
  samples.reserve(size);
  for (size_t age = size; age > 0; --age) samples.push_back(ring[(next + kSamplesMax - age) % kSamplesMax]);
  return samples;
}

void LatencyMonitor::Add(std::string_view event, Millis latency, int64_t unix_seconds) {
  const std::lock_guard lock(mutex_);
  auto found = events_.find(event);
  if (found == events_.end()) found = events_.emplace(event, Series{}).first;
  Series& series = found->second;
  series.all_time_max = std::max(series.all_time_max, latency);
  if (series.size > 0 && series.Last().unix_seconds == unix_seconds) {
    series.Last().latency = std::max(series.Last().latency, latency);
    return;
  }
  series.ring[series.next] = {unix_seconds, latency};
  series.next = (series.next + 1) % kSamplesMax;
  series.size = std::min(series.size + 1, kSamplesMax);
}

std::vector<LatencyLatest> LatencyMonitor::Latest() const {
  const std::lock_guard lock(mutex_);
  std::vector<LatencyLatest> latest;
  for (const auto& [event, series] : events_) latest.push_back({event, series.Last(), series.all_time_max});
  return latest;
}

std::vector<LatencySample> LatencyMonitor::History(std::string_view event) const {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(event);
  return found == events_.end() ? std::vector<LatencySample>{} : found->second.InOrder();
}

size_t LatencyMonitor::Reset() {
  const std::lock_guard lock(mutex_);
  const size_t count = events_.size();
  events_.clear();
  return count;
}

size_t LatencyMonitor::Reset(std::string_view event) {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(event);
  if (found == events_.end()) return 0;
  events_.erase(found);
  return 1;
}

std::optional<std::string> LatencyMonitor::Graph(std::string_view event, int64_t now_unix_seconds) const {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(event);
  if (found == events_.end()) return std::nullopt;
  const Series& series = found->second;
  return internal::LatencyGraph({std::string(event), series.InOrder(), series.all_time_max},
                                now_unix_seconds);
}

std::string LatencyMonitor::Doctor() const {
  std::vector<internal::EventHistory> histories;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [event, series] : events_) {
      histories.push_back({event, series.InOrder(), series.all_time_max});
    }
  }
  return internal::LatencyDoctor(histories, threshold());
}

}  // namespace cinnabar::telemetry
