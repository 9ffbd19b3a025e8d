// The software watchdog (`watchdog-period`): a thread that does not come round in time prints its own stack.
//
// Each thread has its own timer, whose SIGALRM the kernel delivers to that very thread, so the stack that is
// written is the one that is stuck. The signal interrupts blocking system calls (no SA_RESTART).
#pragma once

#include <time.h>

#include "base/clock.h"
#include "base/log.h"

namespace cinnabar::os {

// Belongs to the thread that makes it.
class Watchdog {
 public:
  explicit Watchdog(const Logger& log);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // 0 disables. Should be at least twice the interval of Kick. Cost: no timer exists until first enabled.
  void SetPeriod(Millis period);

  // Winds it up again; to be called once per cron tick. Free while disabled.
  void Kick();

 private:
  friend void HandleAlarm(int signal, void* information, void* context);

  const Logger& log_;
  Millis period_ = 0;
  bool timer_exists_ = false;
  timer_t timer_{};
};

// Makes a SIGALRM that somebody sends from outside print a stack too, instead of ending the process. Done by
// the first Watchdog as well. REQUIRES: `log` outlives the process's last signal.
void InstallAlarmHandler(const Logger& log);

}  // namespace cinnabar::os
