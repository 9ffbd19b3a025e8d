#include "server/shutdown_sequence.h"

#include <unistd.h>

#include <csignal>

#include "server/supervision.h"

namespace cinnabar::server {
namespace {

const char* SignalName(int signal) {
  return signal == SIGINT ? "SIGINT" : "SIGTERM";
}

}  // namespace

ShutdownSequence::ShutdownSequence(const Cores& cores, Listeners& listeners, ServerDataFiles& files,
                                   dispatch::Services& services, config::Supervised supervised)
    : cores_(cores), listeners_(listeners), files_(files), services_(services), supervised_(supervised) {}

Status ShutdownSequence::Begin(const dispatch::ShutdownRequest& request) {
  services_.log.Warning("User requested shutdown...");
  ReportStopping(supervised_);
  saving_ = true;
  if (const Status prepared = files_.PrepareShutdown(request); !prepared) {
    saving_ = false;
    return prepared;
  }
  listeners_.Close();
  services_.log.Warning("Cinnabar is now ready to exit, bye bye...");
  Stop();
  return {};
}

bool ShutdownSequence::Abort() {
  if (asked_.exchange(0) == 0) return false;
  services_.log.Notice("Shutdown manually aborted.");
  return true;
}

void ShutdownSequence::Stop() {
  stopping_.store(true);
  for (auto& core : cores_) core->Stop();
}

void ShutdownSequence::OnReady() {
  const int signal = signals_.Take();
  if (signal == 0) return;
  services_.log.Warning("Received {} scheduling shutdown...", SignalName(signal));
  asked_ = signal;
  // DEBUG PAUSE-CRON leaves time for SHUTDOWN ABORT.
  if (!services_.debug.pause_cron) ActOnSignal();
}

void ShutdownSequence::ActOnSignal() {
  const int signal = asked_.exchange(0);
  if (signal == 0) return;
  const config::General& general = services_.settings.general;
  const config::ShutdownChoices& chosen =
      signal == SIGINT ? general.shutdown_on_sigint : general.shutdown_on_sigterm;
  Status status;
  cores_[0]->dispatcher().WithWorldStopped([&] {
    status = Begin({.save = chosen.save, .nosave = chosen.nosave, .now = chosen.now, .force = chosen.force});
  });
  if (status) return;
  services_.log.Warning(
      "{} received but errors trying to shut down the server, check the logs for more information",
      SignalName(signal));
}

// In the signal handler: somebody has pressed Ctrl-C again while the server is busy ending, or stuck.
void ShutdownSequence::OnSignalAgain(void* context, int signal, int unanswered) {
  const ShutdownSequence& sequence = *static_cast<const ShutdownSequence*>(context);
  if (signal != SIGINT || (unanswered < 2 && !sequence.stopping_.load() && !sequence.saving_.load())) return;
  sequence.files_.snapshots().RemoveUnfinished();
  RawWriter(sequence.services_.log.fd()).Prefix().Text("You insist... exiting now.").EndLine();
  _exit(1);
}

}  // namespace cinnabar::server
