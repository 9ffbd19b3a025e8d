// What goes wrong in a run of a cluster: machines crash and come back, with their disk or without, stand
// still, are cut off from each other in every shape, links get slow, disks full, wall clocks wrong; and
// people give commands meanwhile.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "simulator/cluster_deployment.h"
#include "simulator/cluster_operator.h"

namespace cinnabar::simulator {

class ClusterFaults {
 public:
  ClusterFaults(ClusterDeployment& deployment, ClusterOperator& people)
      : deployment_(deployment), operator_(people), world_(deployment.world()) {}

  // From now on, until End.
  void Begin();
  // All ends: links heal, machines go on or are started. Nothing of it remains but its consequences.
  void End();

  // These last until somebody ends them.
  void Crash(int number);
  void Freeze(int number);
  void Thaw(int number);
  void Start(int number);

 private:
  void Next();
  void GoWrong();
  void GoWrongWithHost();
  void GoWrongWithLinks();
  void Operate();
  void Partition();
  // Nothing passes from one host to the other, on the bus nor between their servers.
  void Block(int from, int to, Millis until);
  // Most faults should hit primaries, or there is nothing to fail over.
  int SomeHost();
  int OneOf(const std::vector<int>& hosts);
  bool LastOfItsShard(int number) const;
  // After some time, unless all has ended by then.
  void Later(Millis most, std::function<void()> work);
  void Trace(std::string_view what);

  ClusterDeployment& deployment_;
  ClusterOperator& operator_;
  ClusterWorld& world_;
  bool active_ = false;
};

}  // namespace cinnabar::simulator
