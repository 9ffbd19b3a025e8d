// All hosts of one run of a cluster, its clients, the network between them, and what watches over them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulator/cluster_checks.h"
#include "simulator/cluster_client.h"
#include "simulator/cluster_host.h"
#include "simulator/cluster_watch.h"
#include "simulator/cluster_world.h"

namespace cinnabar::simulator {

class ClusterDeployment {
 public:
  ClusterDeployment(uint64_t seed, Tracing tracing);
  ~ClusterDeployment();

  // What the run is made of may be drawn from random(). Called once, before Start and what is below.
  void Build(const ClusterOptions& options);
  void Start();

  EventQueue& events() { return events_; }
  cinnabar::Random& random() { return random_; }
  ClusterWorld& world() { return *world_; }
  ClusterWatch& watch() { return watch_; }
  const ClusterChecks& checks() const { return *checks_; }
  std::vector<std::unique_ptr<ClusterHost>>& hosts() { return hosts_; }
  int size() const { return static_cast<int>(hosts_.size()); }
  ClusterHost& host(int number) { return *hosts_[static_cast<size_t>(number)]; }
  const ClusterHost& host(int number) const { return *hosts_[static_cast<size_t>(number)]; }
  std::vector<std::unique_ptr<ClusterClient>>& clients() { return clients_; }
  uint64_t digest() const { return network_->digest(); }

  // The host that says of itself that it owns the slot, in the latest config epoch.
  std::optional<int> OwnerOf(int slot) const;
  // Empty: all hosts that are awake see the same cluster: each other and the others, which have failed; who
  // is a primary, with which slots and since which epoch, all of which differ, and who follows whom. All
  // slots are covered, none is on its way, and replicas are online. Else what is wrong.
  std::string Disagreement() const;
  // Breaks the run, and shows how each host sees the cluster.
  void BreakWithViews(const std::string& what);
  // Reports promised writes that the owners of their slots do not have.
  void CheckPromises();
  uint64_t CountLost() const;

 private:
  std::string WrongWith(const ClusterHost& host) const;
  std::string WrongWithView(const ClusterHost& host, const cluster::Node& node) const;
  void WatchReach();
  bool Reaches(const ClusterHost& from, const NodeId& id) const;
  std::optional<Millis> MinoritySince(const ClusterHost& host);

  EventQueue events_;
  cinnabar::Random random_;
  ClusterOptions options_;
  ClusterWatch watch_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<ClusterChecks> checks_;
  std::unique_ptr<ClusterWorld> world_;
  std::vector<std::unique_ptr<ClusterHost>> hosts_;
  std::vector<std::unique_ptr<ClusterClient>> clients_;
  // When each host could reach each other one last.
  std::vector<std::map<NodeId, Millis>> reached_at_;
};

// How long a primary that is cut off may go on: what it has heard last may be from just before; it pings each
// half of cluster-node-timeout, and looks a few times a second.
inline Millis MinorityBound(const ClusterOptions& options) {
  return options.machine.node_timeout / 2 + 1000 + options.machine.node_timeout / 50;
}

}  // namespace cinnabar::simulator
