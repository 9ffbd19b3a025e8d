// What goes wrong in a run with sentinels: machines crash and come back, stand still, are cut off from each
// other in every shape, links get slow, disks full, wall clocks wrong; and people give commands.
#pragma once

#include <functional>

#include "simulator/sentinel_deployment.h"

namespace cinnabar::simulator {

class SentinelFaults {
 public:
  explicit SentinelFaults(SentinelDeployment& deployment)
      : deployment_(deployment), world_(deployment.world()) {}

  // From now on, until End.
  void Begin();
  // All ends: links heal, machines go on or are started. Nothing of it remains but its consequences.
  void End();

  // These last until somebody ends them.
  void CrashServer(int number);
  void CrashSentinel(int number);
  void FreezeServer(int number);
  void ThawServer(int number);
  void StartServer(int number);

 private:
  void Next();
  void GoWrong();
  void GoWrongWithServer();
  void GoWrongWithSentinel();
  void GoWrongWithLinks();
  void Operate();
  // Nothing passes between the two sides, in one direction or in both.
  void Partition();
  // Most faults should hit the primary, or there is nothing to fail over.
  int SomeServer();
  int SomeSentinel();
  int SomeNode() { return static_cast<int>(world_.random.Uniform(static_cast<uint64_t>(world_.nodes()))); }
  // After some time, unless all has ended by then.
  void Later(Millis most, std::function<void()> work);
  void StartSentinel(int number);
  void ThawSentinel(int number);
  void Trace(std::string_view what);

  SentinelDeployment& deployment_;
  SentinelWorld& world_;
  bool active_ = false;
};

}  // namespace cinnabar::simulator
