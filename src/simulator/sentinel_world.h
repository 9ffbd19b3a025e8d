// What the hosts of one run with sentinels share: time, the network, chance, what the run is made of, and
// somebody to tell what happens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "sentinel/instances.h"
#include "simulator/event_queue.h"
#include "simulator/network.h"
#include "simulator/node.h"

namespace cinnabar::simulator {

class SentinelChecks;

// By this name the sentinels call the only primary of a run.
inline constexpr std::string_view kPrimaryName = "mymaster";

// Errors that are made on purpose around the machine, so that it can be shown that the checks find them.
enum class SentinelBug : uint8_t {
  kNone,
  kVotesForEverybody,         // whoever asks for its vote has it
  kSavesNothing,              // and says that it has
  kHearsVotesNobodyGave,      // every answer about the primary is a vote for itself
  kTellsOfEpochsToCome,       // its hello messages have the config epoch that comes next
  kHearsNoHello,              // what others tell of their configuration does not arrive
  kReplicasHideTheirOffsets,  // INFO says 0
  kCountsReplicasTwice,       // see PlantedBug
};

// What one run is made of. Times in milliseconds.
struct SentinelOptions {
  int servers = 3;  // the first is the primary
  int sentinels = 3;
  int clients = 2;
  int quorum = 2;
  Millis down_after = 1000;
  Millis failover_timeout = 10'000;
  int parallel_syncs = 1;
  std::optional<int> never_promoted;  // a server of priority 0
  NodeOptions node;

  int64_t drift_per_million = 0;  // clocks, at most
  // A server that crashes comes back with what it had; else with an older state, or nothing.
  bool durable = true;
  bool operator_forces = false;    // SENTINEL FAILOVER
  bool operator_resets = false;    // SENTINEL RESET
  bool old_files = false;          // a sentinel may start from a file that is not the last one
  bool disks_fill = false;         // a config file cannot be written for some time
  uint64_t save_fails_one_in = 0;  // of all attempts; 0: never
  bool rewrites_fail = false;      // CONFIG REWRITE of the servers, now and then
  Millis fault_period = 2500;
  // A sentinel that comes to this step of a failover crashes there, mostly.
  std::optional<sentinel::FailoverState> crashes_at;
  SentinelBug bug = SentinelBug::kNone;
};

struct SentinelWorld {
  EventQueue& events;
  Network& network;
  Random& random;
  Watch& watch;
  const SentinelOptions& options;
  SentinelChecks& checks;
  bool faulty = false;  // else sentinels do not crash by themselves, and files can be written

  Millis now() const { return events.now(); }
  Millis Some(Millis most) const {
    return 1 + static_cast<Millis>(random.Uniform(static_cast<uint64_t>(most)));
  }
  bool IsServer(int node) const { return node < options.servers; }
  bool IsSentinel(int node) const {
    return node >= options.servers && node < options.servers + options.sentinels;
  }
  int SentinelNode(int number) const { return options.servers + number; }
  int ClientNode(int number) const { return options.servers + options.sentinels + number; }
  int nodes() const { return ClientNode(options.clients); }
};

}  // namespace cinnabar::simulator
