#include "os/watchdog.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "os/stack_trace.h"

namespace cinnabar::os {
namespace {
// Where the trace of an alarm from outside goes; a timer's alarm carries its Watchdog with it.
std::atomic<int> alarm_fd{-1};
}  // namespace

void HandleAlarm(int, void* information, void* context) {
  const auto* details = static_cast<const siginfo_t*>(information);
  const int saved_errno = errno;
  const bool expired = details->si_code == SI_TIMER;
  const int fd =
      expired ? static_cast<const Watchdog*>(details->si_value.sival_ptr)->log_.fd() : alarm_fd.load();
  if (fd >= 0) {
    RawWriter out(fd);
    out.Text("\n").Prefix().Text(expired ? "--- WATCHDOG TIMER EXPIRED ---" : "Received SIGALRM").EndLine();
    WriteStackTrace(out, InterruptedInstruction(context));
    out.Prefix().Text("--------").EndLine();
  }
  errno = saved_errno;
}

void InstallAlarmHandler(const Logger& log) {
  PrepareStackTraces();
  alarm_fd = log.fd();
  struct sigaction action {};
  action.sa_sigaction = [](int signal, siginfo_t* information, void* context) {
    HandleAlarm(signal, information, context);
  };
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGALRM, &action, nullptr);
}

Watchdog::Watchdog(const Logger& log) : log_(log) {}

Watchdog::~Watchdog() {
  if (timer_exists_) timer_delete(timer_);
}

void Watchdog::SetPeriod(Millis period) {
  period_ = period;
  if (period > 0 && !timer_exists_) {
    InstallAlarmHandler(log_);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGALRM;
    event.sigev_value.sival_ptr = this;
    event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
    timer_exists_ = timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  }
  if (period <= 0 && timer_exists_) {
    timer_delete(timer_);
    timer_exists_ = false;
  }
  Kick();
}

void Watchdog::Kick() {
  if (!timer_exists_) return;
  itimerspec delay{};
  delay.it_value.tv_sec = period_ / kMillisPerSecond;
  delay.it_value.tv_nsec = period_ % kMillisPerSecond * kNanosPerMilli;
  timer_settime(timer_, 0, &delay, nullptr);
}

}  // namespace cinnabar::os
