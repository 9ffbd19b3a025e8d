#include "server/supervision.h"

#include <csignal>
#include <cstdlib>

#include "os/daemon.h"

namespace cinnabar::server {

using config::Supervised;

Supervised DetectSupervision(Supervised wanted) {
  const bool systemd = std::getenv("NOTIFY_SOCKET") != nullptr;
  const bool upstart = std::getenv("UPSTART_JOB") != nullptr;
  switch (wanted) {
    case Supervised::kNo:
      return Supervised::kNo;
    case Supervised::kSystemd:
      return systemd ? Supervised::kSystemd : Supervised::kNo;
    case Supervised::kUpstart:
      return upstart ? Supervised::kUpstart : Supervised::kNo;
    case Supervised::kAuto:
      return upstart ? Supervised::kUpstart : systemd ? Supervised::kSystemd : Supervised::kNo;
  }
  return Supervised::kNo;
}

void ReportReady(Supervised by, Logger& log) {
  if (by == Supervised::kSystemd && !os::NotifySystemd("STATUS=Ready to accept connections\nREADY=1\n")) {
    log.Warning("systemd supervision requested, but NOTIFY_SOCKET cannot be reached");
  }
  if (by == Supervised::kUpstart) {
    log.Notice("supervised by upstart, will stop to signal readiness");
    std::raise(SIGSTOP);
    unsetenv("UPSTART_JOB");
  }
}

void ReportStopping(Supervised by) {
  if (by == Supervised::kSystemd) os::NotifySystemd("STOPPING=1\n");
}

}  // namespace cinnabar::server
