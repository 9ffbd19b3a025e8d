#include "server/core_threads.h"

#include <algorithm>

#include "config/settings.h"
#include "keyspace/keyspace.h"
#include "os/cpus.h"
#include "os/crash_report.h"
#include "os/watchdog.h"
#include "server/cpu_lists.h"

namespace cinnabar::server {

// Made and used on the core's thread.
struct CoreThreads::Guards {
  explicit Guards(const Logger& log) : watchdog(log) {}
  os::AlternateSignalStack stack;
  os::Watchdog watchdog;
};

CoreThreads::CoreThreads(const Cores& cores, dispatch::Services& services, os::MemoryMeter& meter)
    : cores_(cores), services_(services), meter_(meter) {}

void CoreThreads::Start() {
  guards_.resize(cores_.size());
  for (size_t i = 1; i < cores_.size(); ++i) {
    threads_.emplace_back([this, i] {
      os::ThreadMemory memory(meter_);
      RunCore(i);
    });
  }
}

void CoreThreads::Run() {
  RunCore(0);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void CoreThreads::RunCore(size_t index) {
  Guards guards(services_.log);
  guards_[index] = &guards;
  // Another core may be changing the settings already.
  services_.keyspace.gate().Enter(static_cast<int>(index));
  ApplyWatchdog(index);
  BindThisThread(services_.settings.general.server_cpulist, "server-cpulist", services_.log);
  services_.keyspace.gate().Leave(static_cast<int>(index));
  // Several cores are each woken more often for less. Where CPUs are short, a core that interrupted its
  // clients for every single request would pay a wake-up for each; one that waits its turn finds several
  // (bench/README.md).
  if (cores_.size() > 1) {
    if (Status batch = os::UseBatchScheduling(); !batch) services_.log.Verbose("{}", batch.error().message);
  }
  cores_[index]->Run();
  guards_[index] = nullptr;
}

void CoreThreads::KickWatchdog(int core) {
  guards_[static_cast<size_t>(core)]->watchdog.Kick();
}

void CoreThreads::ApplyWatchdogs() {
  for (size_t i = 0; i < cores_.size(); ++i) {
    cores_[i]->Post([this, i] { ApplyWatchdog(i); });
  }
}

void CoreThreads::ApplyWatchdog(size_t index) {
  const config::Settings& settings = services_.settings;
  Millis period = settings.testing.watchdog_period_millis;
  // It is wound up once per cron tick.
  if (period > 0) period = std::max<Millis>(period, 2 * 1000 / std::max<int64_t>(settings.general.hz, 1));
  guards_[index]->watchdog.SetPeriod(period);
}

}  // namespace cinnabar::server
