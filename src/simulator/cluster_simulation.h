// One run of a cluster: it is created, slots are moved, clients write, and everything goes wrong
// (cluster_faults.h). Then the faults end, and all must agree. A run is a function of its seed.
//
// What is checked all the time stands in cluster_checks.h, what is promised for writes in cluster_watch.h.
// When the faults end, with everything alive:
//
//   Within ClusterAgreementBound of virtual time all slots are covered, all nodes see the same cluster (who
//   is a primary, with which slots, since which epoch, all different, and who follows whom), and replicas are
//   online; and it stays so. No promised write is missing.
//
// Then, in every other run, a primary dies for good: the same must come true without it, with its slots at
// one of its replicas, and once more when it comes back.
//
// If nodes have lost their disks, were reset, or are new, people put right what nodes cannot
// (ClusterOperator::PutRight), once a second. In all other runs nobody helps. Nodes that start from old files
// may never agree; such runs are counted (misled).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "simulator/cluster_deployment.h"
#include "simulator/cluster_faults.h"
#include "simulator/cluster_operator.h"
#include "simulator/tracing.h"

namespace cinnabar::simulator {

struct ClusterReport {
  std::string broken;  // empty: everything held
  uint64_t digest = 0;
  uint64_t elected = 0;
  uint64_t votes = 0;
  uint64_t unvoted = 0;  // epochs
  uint64_t promotions = 0;
  uint64_t moved = 0;  // slots
  uint64_t writes = 0;
  uint64_t promised = 0;  // of these, to be kept
  uint64_t doubtful = 0;
  uint64_t misled = 0;      // no agreement after a start from an old file
  Millis agreed_after = 0;  // the faults ended
  Millis bound = 0;
  std::deque<std::string> trace;  // the last lines, if it was asked for
};

class ClusterSimulation {
 public:
  explicit ClusterSimulation(uint64_t seed, ClusterBug bug = ClusterBug::kNone,
                             Tracing tracing = Tracing::kOff);

  ClusterReport Run();

 private:
  ClusterOptions Choose(ClusterBug bug);
  void ChooseFaults(ClusterOptions& options);
  void RunUntil(Millis time);
  void MakeCluster();
  void MoveSomeSlots();
  // Runs until all agree, and a little longer.
  void Agree(const std::string& when);
  // False: none of them can be done without.
  bool LoseAPrimary();
  bool NeedsPeople() const;
  bool broken() const { return !deployment_.watch().broken().empty(); }

  mutable ClusterDeployment deployment_;
  ClusterOptions options_;
  std::optional<ClusterOperator> operator_;
  std::optional<ClusterFaults> faults_;
  ClusterReport report_;
};

// How long agreement may take, in the worst case.
Millis ClusterAgreementBound(const ClusterOptions& options);

}  // namespace cinnabar::simulator
