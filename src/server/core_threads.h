// CoreThreads: the threads that the cores run on. The calling thread becomes core 0's.
//
// Each has what it takes to report a crash or a hang (a stack for signals, a watchdog), is bound to the CPUs
// that the settings name, and counts its allocations.
#pragma once

#include <thread>
#include <vector>

#include "dispatch/services.h"
#include "os/allocator.h"
#include "server/core.h"

namespace cinnabar::server {

class CoreThreads {
 public:
  // All must outlive this. `cores` must be complete when Start is called.
  CoreThreads(const Cores& cores, dispatch::Services& services, os::MemoryMeter& meter);

  // Starts all but core 0.
  void Start();
  // Runs core 0 here, then waits for the others. Returns when all were told to stop.
  void Run();
  // A core's thread is alive. On that thread, while the core runs.
  void KickWatchdog(int core);
  // watchdog-period has changed. Any thread: each core's own arms its timer before it takes further requests.
  void ApplyWatchdogs();

 private:
  struct Guards;

  void RunCore(size_t index);
  void ApplyWatchdog(size_t index);

  const Cores& cores_;
  dispatch::Services& services_;
  os::MemoryMeter& meter_;
  std::vector<Guards*> guards_;  // on the stacks of the threads; null: the core does not run
  std::vector<std::thread> threads_;
};

}  // namespace cinnabar::server
