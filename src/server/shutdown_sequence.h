// ShutdownSequence: how the process ends: by SHUTDOWN, by a signal, or because it cannot go on.
//
//   asked -> replicas get what they lack -> what must be saved is saved -> listeners closed -> cores told to
//   stop
//         -> Server::Run returns
//
// A step that fails leaves the server running. A signal that comes while the first append-only file is
// written, which would lose the data set, is acted on when that file is there. Core 0's thread, or with the
// world stopped; Stop on any thread.
#pragma once

#include <atomic>
#include <optional>

#include "base/log.h"
#include "config/settings.h"
#include "dispatch/services.h"
#include "os/signals.h"
#include "server/core.h"
#include "server/data_files.h"
#include "server/listeners.h"
#include "server/replicas.h"

namespace cinnabar::server {

class ShutdownSequence final : public ReadyHandler {
 public:
  // All must outlive this. From here on SIGINT and SIGTERM ask it.
  ShutdownSequence(const Cores& cores, Listeners& listeners, ServerDataFiles& files, Replicas& replicas,
                   dispatch::Services& services, config::Supervised supervised);

  // Lets core 0 hear of signals.
  Status Register() { return cores_[0]->AddListener(signals_.fd(), *this); }
  // With the world stopped; the error says why the server goes on.
  using Shutting = dispatch::ServerControl::Shutting;
  Result<Shutting> Begin(const dispatch::ShutdownRequest& request);
  // Forgets a signal that nobody has acted on yet, and a shutdown that waits for replicas. False when there
  // is neither. With the world stopped.
  bool Abort();
  // A shutdown that waits goes on when the replicas have everything, or its time is up; a signal is acted on
  // once it can be. Core 0, in its cron.
  void Step();
  bool waiting() const { return wait_.has_value(); }
  // REQUIRES: waiting().
  Millis millis_left() const;
  uint64_t failed_waits() const { return failed_waits_; }
  // Ends the cores as soon as they have finished their turns, without saving anything. Any thread.
  void Stop();
  void Fail() {
    exit_code_ = 1;
    Stop();
  }
  // Ends the process if a signal has asked for it. Outside of any command.
  void ActOnSignal();
  bool stopping() const { return stopping_.load(); }
  int exit_code() const { return exit_code_; }

  // A signal has come.
  void OnReady() override;

 private:
  struct Wait {
    dispatch::ShutdownRequest request;
    Millis deadline;             // monotonic
    dispatch::PauseState pause;  // that was there before
  };

  bool BeginWait(const dispatch::ShutdownRequest& request);
  void EndWait();
  void FailWait();
  void LogReplicas();
  Status Finish(const dispatch::ShutdownRequest& request);
  static void OnSignalAgain(void* context, int signal, int unanswered);

  const Cores& cores_;
  Listeners& listeners_;
  ServerDataFiles& files_;
  Replicas& replicas_;
  dispatch::Services& services_;
  const config::Supervised supervised_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> saving_{false};  // Begin is writing the files
  std::atomic<int> asked_{0};        // by this signal, which nobody has acted on yet
  int refused_ = 0;                  // the signal that comes into effect when the append-only file is whole
  int exit_code_ = 0;
  std::optional<Wait> wait_;
  uint64_t failed_waits_ = 0;
  os::TerminationSignals signals_{OnSignalAgain, this};
};

}  // namespace cinnabar::server
