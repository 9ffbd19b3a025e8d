#include "server/shutdown_sequence.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <limits>

#include "server/supervision.h"

namespace cinnabar::server {
namespace {

const char* SignalName(int signal) {
  return signal == SIGINT ? "SIGINT" : "SIGTERM";
}

}  // namespace

ShutdownSequence::ShutdownSequence(const Cores& cores, Listeners& listeners, ServerDataFiles& files,
                                   Replicas& replicas, dispatch::Services& services,
                                   config::Supervised supervised)
    : cores_(cores),
      listeners_(listeners),
      files_(files),
      replicas_(replicas),
      services_(services),
      supervised_(supervised) {}

Result<ShutdownSequence::Shutting> ShutdownSequence::Begin(const dispatch::ShutdownRequest& request) {
  if (waiting() && !request.now) return Shutting::kWaits;
  services_.log.Warning("User requested shutdown...");
  ReportStopping(supervised_);
  if (!request.now && BeginWait(request)) return Shutting::kWaits;
  if (waiting()) EndWait();
  TRY_STATUS(Finish(request));
  return Shutting::kEnds;
}

// Nobody writes any more, so that those replicas can catch up that lack something. False: nobody does.
bool ShutdownSequence::BeginWait(const dispatch::ShutdownRequest& request) {
  const Millis timeout = services_.settings.general.shutdown_timeout_seconds * kMillisPerSecond;
  const bool follows = services_.replication->follows();
  if (timeout == 0 || follows || files_.loading() || replicas_.Behind().empty()) return false;
  wait_ = Wait{request, SystemMonotonicNanos() / kNanosPerMilli + timeout, services_.pause};
  services_.log.Notice("Waiting for replicas before shutting down.");
  services_.stream_rests = true;
  services_.pause = {std::max(services_.pause.mode, dispatch::PauseMode::kWrites),
                     std::numeric_limits<Millis>::max()};
  services_.control.PauseChanged();
  return true;
}

void ShutdownSequence::EndWait() {
  services_.pause = wait_->pause;
  services_.stream_rests = false;
  wait_.reset();
  services_.control.PauseChanged();
}

void ShutdownSequence::FailWait() {
  EndWait();
  ++failed_waits_;
  for (dispatch::Dispatcher* dispatcher : services_.dispatchers) dispatcher->blocked().ServeCopyWaiters();
}

Millis ShutdownSequence::millis_left() const {
  return std::max<Millis>(wait_->deadline - SystemMonotonicNanos() / kNanosPerMilli, 0);
}

void ShutdownSequence::Step() {
  if (refused_ != 0 && files_.append_only().WhyIncomplete().empty()) asked_ = std::exchange(refused_, 0);
  if (!waiting() || !cores_[0]->dispatcher().long_commands().WorldIsFree()) return;
  cores_[0]->dispatcher().WithWorldStopped([this] {
    if (millis_left() > 0 && !replicas_.Behind().empty()) return;
    const dispatch::ShutdownRequest request = wait_->request;
    if (Finish(request)) return;
    services_.log.Warning("Errors trying to shut down the server. Check the logs for more information.");
    FailWait();
  });
}

void ShutdownSequence::LogReplicas() {
  const size_t count = replicas_.count();
  if (count == 0 || services_.replication->follows()) return;
  const std::vector<dispatch::ReplicaFacts> behind = replicas_.Behind();
  const uint64_t end = services_.journal.offset();
  for (const dispatch::ReplicaFacts& facts : behind) {
    services_.log.Notice("Lagging replica {}:{} reported offset {} behind master, lag={}, state={}.",
                         facts.address, facts.port, end - facts.offset, facts.lag_seconds, facts.state);
  }
  services_.log.Notice("{} of {} replicas are in sync when shutting down.", count - behind.size(), count);
}

Status ShutdownSequence::Finish(const dispatch::ShutdownRequest& request) {
  LogReplicas();
  saving_ = true;
  // A sentinel has no data, whoever asks for a SAVE.
  const Status prepared = services_.sentinel == nullptr ? files_.PrepareShutdown(request) : Status();
  if (!prepared) {
    saving_ = false;
    return prepared;
  }
  listeners_.Close();
  services_.log.Warning("Cinnabar is now ready to exit, bye bye...");
  Stop();
  return {};
}

bool ShutdownSequence::Abort() {
  const bool refused = std::exchange(refused_, 0) != 0;
  const bool asked = asked_.exchange(0) != 0 || refused;
  if (!asked && !waiting()) return false;
  if (waiting()) FailWait();
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
  Result<Shutting> status = Shutting::kEnds;
  cores_[0]->dispatcher().WithWorldStopped([&] {
    status = Begin({.save = chosen.save, .nosave = chosen.nosave, .now = chosen.now, .force = chosen.force});
  });
  if (status) return;
  services_.log.Warning(
      "{} received but errors trying to shut down the server, check the logs for more information",
      SignalName(signal));
  if (files_.append_only().WhyIncomplete().empty()) return;
  services_.log.Notice("It will be acted on when the append-only file holds the data set.");
  refused_ = signal;
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
