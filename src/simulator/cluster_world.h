// What the hosts of one run of a cluster share: time, the network, chance, what the run is made of, and
// somebody to tell what happens.
//
// Each host has two places in the network: one for clients and replication, one for the cluster's bus.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/random.h"
#include "cluster/cluster.h"
#include "simulator/event_queue.h"
#include "simulator/network.h"
#include "simulator/node.h"

namespace cinnabar::simulator {

class ClusterChecks;
class ClusterWatch;

inline constexpr int kBusPort = 16379;

// Errors that are made on purpose around the machine, so that it can be shown that the checks find them.
enum class ClusterBug : uint8_t {
  kNone,
  kDiskForgetsVotes,      // every nodes file says that no vote was ever given
  kSavesNothing,          // and says that it has
  kVotesForEverybody,     // whoever asks for a vote has it, besides what the machine answers
  kHearsVotesNobodyGave,  // every PONG is a vote besides
  kTellsOfEpochsToCome,   // a primary's packets have the config epoch that comes next
  kHearsOfNoNewOwners,    // what others tell of newer config epochs does not arrive at one node
  kWritesWhileDown,       // clients are served though the machine says that the cluster is down
  kAnswersTooEarly,       // and not when replicas have the write
};

// What one run is made of. Times in milliseconds.
struct ClusterOptions {
  int primaries = 3;
  int hosts = 6;   // the rest are replicas, but for the spare ones
  int spares = 0;  // join later
  int clients = 2;
  cluster::Options machine;
  NodeOptions node;
  bool acks = false;  // a write is answered when all replicas have it

  int64_t drift_per_million = 0;  // clocks, at most
  bool durable = true;            // a machine that comes back has its disk
  bool old_files = false;         // it may be an older state of it
  bool disks_fill = false;
  uint64_t save_fails_one_in = 0;  // of all attempts while things go wrong; 0: never
  bool operator_forces = false;    // CLUSTER FAILOVER FORCE and TAKEOVER
  bool operator_moves = false;     // slots, in the middle of everything
  bool operator_resets = false;    // CLUSTER RESET and FORGET
  Millis fault_period = 2500;
  bool watches_packets = true;  // else nothing looks into them: for large clusters
  ClusterBug bug = ClusterBug::kNone;
};

struct ClusterWorld {
  EventQueue& events;
  Network& network;
  Random& random;
  ClusterWatch& watch;
  const ClusterOptions& options;
  ClusterChecks& checks;
  // Which host is called so now.
  std::map<cluster::NodeId, int> host_of{};
  bool faulty = false;  // else files can be written

  Millis now() const { return events.now(); }
  Millis Some(Millis most) const {
    return 1 + static_cast<Millis>(random.Uniform(static_cast<uint64_t>(most)));
  }
  int SomeHost() const { return static_cast<int>(random.Uniform(static_cast<uint64_t>(options.hosts))); }
  bool IsServer(int node) const { return node < options.hosts; }
  int BusNode(int host) const { return options.hosts + host; }
  int ClientNode(int number) const { return 2 * options.hosts + number; }
  int nodes() const { return ClientNode(options.clients); }
  std::optional<int> HostOf(const cluster::NodeId& id) const {
    const auto it = host_of.find(id);
    return it == host_of.end() ? std::nullopt : std::optional(it->second);
  }
};

}  // namespace cinnabar::simulator
