// What must hold in every run of a cluster, however the network, the machines and the disks behave. A node is
// whoever has an id: what is said about one holds over restarts.
//
//   1. Votes. A node never votes for two candidates in one epoch, and never in an epoch before one in which
//   it
//      has voted.
//   2. Elections. In one epoch at most one node is elected, and one that is elected has votes, given by the
//      nodes themselves, of the majority that it believes in.
//   3. Claims. Two nodes never claim the same slot in the same config epoch. Epochs that nobody has voted for
//      (SET-CONFIG-EPOCH, TAKEOVER, a slot that has moved, a collision that was resolved) are left out: they
//      may collide, with each other and with an elected one, and then one of the two takes another epoch.
//      That this comes to an end is what agreement checks: in the end all config epochs differ.
//   4. Epochs. Neither the current epoch of a node nor the config epoch of a primary with slots goes back, as
//   far as
//      others were told.
//   5. Vital facts. When a packet leaves, what it says about its sender (role, primary, slots, config epoch)
//      is on disk and synced; a vote and the request for one with their epoch.
//   6. Minorities. A primary that has not reached a majority of the primaries that it knows, in either
//   direction, for cluster-node-timeout and a bound (MinorityBound), takes no writes.
//
// What this needs: the file that a node starts from is what was synced last, or newer. With an older one only
// 4 holds, as long as the process lives.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "cluster/cluster.h"

namespace cinnabar::simulator {

using cluster::Epoch;
using cluster::NodeId;

class ClusterChecks {
 public:
  struct Setup {
    bool old_files = false;
    Millis minority_max = 0;
    std::function<void(std::string)> broken;
  };
  explicit ClusterChecks(Setup setup) : setup_(std::move(setup)) {}

  // A packet leaves. `safe`: what its sender has on disk; null: nothing. `to`: whose link it goes to.
  void OnSent(int host, const cluster::Packet& packet, const cluster::ClusterRecord* safe, const NodeId& to);
  // A call of it has ended, or it has started.
  void OnState(int host, const cluster::Cluster& machine);
  void OnStarted(int host, const cluster::Cluster& machine);

  // Since when it reaches no majority; none: it does.
  void NoteMinority(int host, std::optional<Millis> since);
  // It takes a client's write. Whether it might is known at the next look: it may just have come back.
  void OnWrite(int host, Millis now) { wrote_at_[host] = now; }

  uint64_t elected() const { return elected_.size(); }
  uint64_t votes() const { return votes_given_; }
  uint64_t unvoted() const { return unvoted_.size(); }

 private:
  struct Known {
    std::map<Epoch, NodeId> votes;
    Epoch told_current = 0;
    Epoch told_config = 0;
    std::set<Epoch> asked;  // for votes
  };
  struct Seen {
    NodeId id;
    Epoch current = 0;
    Epoch config = 0;
  };

  void CheckVital(int host, const cluster::Packet& packet, const cluster::ClusterRecord* safe);
  void CheckVote(int host, const cluster::Packet& packet, const NodeId& candidate);
  void CheckClaims(int host, const cluster::Packet& packet);
  void TookEpoch(int host, const cluster::Cluster& machine, Epoch epoch);
  void Break(int host, const std::string& what);

  const Setup setup_;
  std::map<NodeId, Known> known_;
  std::map<int, Seen> seen_;
  std::map<int, Millis> wrote_at_;  // since the last look
  std::map<Epoch, NodeId> elected_;
  std::set<Epoch> unvoted_;
  std::map<Epoch, std::map<NodeId, cluster::SlotSet>> claims_;
  uint64_t votes_given_ = 0;
};

}  // namespace cinnabar::simulator
