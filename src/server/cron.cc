#include "server/cron.h"

#include <algorithm>

#include "config/settings.h"
#include "dispatch/tracking.h"

namespace cinnabar::server {

using dispatch::PauseMode;

namespace {

constexpr Millis kLoaded = -1;

}  // namespace

Millis Cron::Work(int core) {
  const Millis wait = WorkForData(core);
  if (core != 0) return wait;
  // A node answers the others also while it loads a data set of its primary.
  if (parts_.cluster != nullptr) return std::min(wait, parts_.cluster->Work());
  return parts_.sentinel == nullptr ? wait : std::min(wait, parts_.sentinel->Work());
}

Millis Cron::WorkForData(int core) {
  if (core == 0 && parts_.files.loading()) {
    if (const Millis wait = Load(); wait != kLoaded) {
      // The connection may hold bytes that no event tells of.
      const bool waits = parts_.files.waits_for_bytes();
      return waits && (parts_.following.Work() || !parts_.files.waits_for_bytes()) ? 0 : wait;
    }
  }
  if (core == 0 && parts_.following.Work()) return 0;
  return parts_.files.child().running() ? kNoWork : parts_.defragmentation.Work(core);
}

// kLoaded: nothing is left to do.
Millis Cron::Load() {
  const Result<bool> more = parts_.files.Load();
  if (!more) {
    FailToLoad(more.error());
    return kNoWork;
  }
  if (*more) return parts_.files.waits_for_bytes() ? kNoWork : 0;
  if (!loaded_) DataSetIsThere();
  return kLoaded;
}

void Cron::DataSetIsThere() {
  loaded_ = true;
  on_loaded_();
  parts_.role.OnLoaded();
  if (parts_.cluster != nullptr) parts_.cluster->DataLoaded();
}

void Cron::TellOfFailedLoad(const Error& error) {
  Logger& log = parts_.services.log;
  log.Warning("{}", error.message);
  if (!parts_.services.settings.persistence.appendonly)
    log.Warning("Terminating server after rdb file reading failure.");
}

void Cron::FailToLoad(const Error& error) {
  TellOfFailedLoad(error);
  parts_.shutdown.Fail();
}

bool Cron::Quiet() const {
  const dispatch::Services& services = parts_.services;
  return services.clients.Count() == 0 && services.settings.testing.watchdog_period_millis == 0 &&
         services.pause.mode == PauseMode::kNone && !parts_.role.follows();
}

void Cron::OnCron(int core) {
  parts_.threads.KickWatchdog(core);
  ExpireSome(core);
  parts_.peers.Cron(core);
  if (core == 0) OnServerCron();
}

void Cron::ExpireSome(int core) {
  const dispatch::Services& services = parts_.services;
  const bool loading = (services.alarms.load(std::memory_order_relaxed) & dispatch::Alarm::kLoading) != 0;
  if (!services.debug.active_expire || loading || services.pause.mode != PauseMode::kNone) return;
  const Micros period = kMicrosPerSecond / std::max<int64_t>(services.settings.general.hz, 1);
  const Micros budget = period * (20 + 5 * services.settings.memory.active_expire_effort) / 100;
  parts_.cores[static_cast<size_t>(core)]->dispatcher().expiry().Run(budget);
}

void Cron::OnServerCron() {
  parts_.statistics.Sample(parts_.cores);
  if (!parts_.shutdown.stopping() && !parts_.services.debug.pause_cron) parts_.shutdown.ActOnSignal();
  parts_.shutdown.Step();
  if (!parts_.shutdown.stopping()) parts_.files.Cron();
  if (!parts_.shutdown.stopping() && !parts_.files.loading_at_start()) parts_.role.Cron();
  parts_.defragmentation.Cron(parts_.files.child().running() ? Defragmentation::HeldUp::kYes
                                                             : Defragmentation::HeldUp::kNo);
  parts_.services.tracking->Cron(parts_.cores[0]->dispatcher());
  EndPause();
}

void Cron::EndPause() {
  dispatch::PauseState& pause = parts_.services.pause;
  dispatch::Dispatcher& dispatcher = parts_.cores[0]->dispatcher();
  if (parts_.role.failing_over() || parts_.shutdown.waiting()) return;
  if (pause.mode == PauseMode::kNone || dispatcher.core().now < pause.until ||
      !dispatcher.long_commands().WorldIsFree())
    return;
  dispatcher.WithWorldStopped([&] {
    pause = {};
    parts_.services.control.PauseChanged();
  });
}

}  // namespace cinnabar::server
