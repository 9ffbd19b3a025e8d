// Measurements on a quiet network: how long a failover takes, how long news takes in a large cluster, and
// what gossip costs. Functions of their seed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "simulator/cluster_deployment.h"

namespace cinnabar::simulator {

// A primary dies, or stands still.
struct ClusterFailoverTrial {
  enum class Failure : uint8_t { kKilled, kStopped };

  Failure failure = Failure::kKilled;
  int primaries = 3;
  int replicas_each = 1;
  Millis node_timeout = 5000;
};

struct ClusterFailoverResult {
  std::string broken;
  // From the failure to the first moment at which another node would take a write for one of its slots.
  std::optional<Millis> served_after;
  uint64_t lost = 0;  // answered writes
  uint64_t promised = 0;
};

ClusterFailoverResult MeasureClusterFailover(uint64_t seed, const ClusterFailoverTrial& trial);

// How long it takes until all know it.
struct NewsResult {
  std::string broken;
  std::optional<Millis> created;   // nobody misses anybody, after all were told to meet one
  std::optional<Millis> new_node;  // after it was told to meet one
  std::optional<Millis> failure;   // of a primary: agreed on, and known by all
  std::optional<Millis> failover;  // all see the new owner of its slots
  uint64_t bytes_per_second = 0;   // that one node sends while nothing happens
};

NewsResult MeasureNews(uint64_t seed, int hosts, Millis node_timeout);

}  // namespace cinnabar::simulator
