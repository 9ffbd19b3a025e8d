// ProcessControl: what commands may ask of the process as a whole (dispatch::ServerControl). It passes each
// request to the part that knows.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/services.h"
#include "server/figure_sources.h"
#include "server/shutdown_sequence.h"
#include "server/worker.h"

namespace cinnabar::server {

// 40 hexadecimal digits that no other process has.
std::string MakeRunId();

class ProcessControl final : public dispatch::ServerControl {
 public:
  // All must outlive this, and may be made after it.
  ProcessControl(const FigureSources& figures, ServerIdentity& identity, ShutdownSequence& shutdown,
                 Worker& worker)
      : figures_(figures), identity_(identity), shutdown_(shutdown), worker_(worker) {}

  // dispatch::ServerControl:
  Result<Shutting> Shutdown(const dispatch::ShutdownRequest& request) override {
    return shutdown_.Begin(request);
  }
  uint64_t FailedShutdowns() const override { return shutdown_.failed_waits(); }
  bool AbortShutdown() override { return shutdown_.Abort(); }
  void PauseChanged() override;
  std::string Info(const std::vector<std::string>& sections) override;
  void ResetStatistics() override;
  uint64_t UsedMemory() override { return figures_.statistics.used_memory(); }
  uint64_t UncountedMemory() override {
    return figures_.files.append_only().memory() + figures_.replicas.KeptMemory().beyond;
  }
  uint64_t PeakMemory() override { return figures_.statistics.peak_memory(); }
  uint64_t StartupMemory() override { return figures_.statistics.startup_memory(); }
  std::string_view RunId() const override { return identity_.run_id; }
  Millis StartedAt() const override { return identity_.started_at; }
  int Cores() const override { return static_cast<int>(figures_.cores.size()); }
  void Defer(std::function<void()> work) override;

 private:
  const FigureSources figures_;
  ServerIdentity& identity_;
  ShutdownSequence& shutdown_;
  Worker& worker_;
};

}  // namespace cinnabar::server
