// What LATENCY GRAPH and LATENCY DOCTOR say about histories.
#pragma once

#include <string>
#include <vector>

#include "telemetry/latency_monitor.h"

namespace cinnabar::telemetry::internal {

struct EventHistory {
  std::string event;
  std::vector<LatencySample> samples;  // the oldest first, never empty
  Millis all_time_max = 0;
};

//   command - high 500 ms, low 101 ms (all time high 500 ms)
//   --------------------------------------------------------------------------------
//       #
//      #|
//     #||
//   _#|||                one column per sample, the newest on the right; below it,
//                        read downwards, how long ago it was ("11s", "5m", "3h", "2d")
//   11186
//   542ss
//   sss
std::string LatencyGraph(const EventHistory& history, int64_t now_unix_seconds);

std::string LatencyDoctor(const std::vector<EventHistory>& histories, Millis threshold);

}  // namespace cinnabar::telemetry::internal
