// What people, and redis-cli --cluster for them, do to a simulated cluster: create it, move slots with their
// keys, fail over by hand, reset a node, let nodes in, and put right what nodes cannot put right themselves.
//
// It asks each node directly, as a client on its machine would, and sees only what nodes say. A node that
// does not run or stands still does not answer.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "simulator/cluster_deployment.h"

namespace cinnabar::simulator {

class ClusterOperator {
 public:
  explicit ClusterOperator(ClusterDeployment& deployment)
      : deployment_(deployment), world_(deployment.world()) {}

  // Slots to the first hosts, a meeting with all but the spare ones, replicas behind the primaries. What
  // nodes do not know each other for yet is tried again until End is called.
  void Create();
  void StopCreating() { creating_ = false; }
  // With its keys, as reshard does. Given up when one of the two does not answer.
  void Move(int slot, int to);
  bool moving() const { return moving_ > 0; }
  void FailOver(int replica, cluster::Cluster::FailoverKind kind);
  void Reset(int host, bool hard);
  // Nodes that nobody knows any more or yet are let in, names that are nobody's are forgotten, slots that are
  // nobody's are given to somebody, and those on their way stay where they are.
  void PutRight();

  std::vector<int> Replicas() const;
  // Primaries that have slots.
  std::vector<int> Primaries() const;
  uint64_t moved() const { return moved_; }

 private:
  using Work = std::function<Status(cluster::Cluster&)>;

  bool Ask(int host, std::string_view what, const Work& work);
  void ReplicateAll();
  void MoveKeys(int slot, int from, int to);
  void EndMove(int slot, int from, int to);
  void Abandon() { --moving_; }
  void ForgetGhosts();
  void LeaveGhost(ClusterHost& host, const cluster::Node& ghost);
  void LetIn();
  void UseIdlePrimaries();
  void CoverSlots();
  void KeepSlots();
  // A primary with slots; where all that had slots are gone, any that is up.
  std::optional<int> Founder() const;
  int PrimaryWithFewestReplicas() const;

  ClusterDeployment& deployment_;
  ClusterWorld& world_;
  bool creating_ = false;
  int moving_ = 0;
  uint64_t moved_ = 0;
};

}  // namespace cinnabar::simulator
