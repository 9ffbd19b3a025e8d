// ServerControl: the port through which commands reach the process: its end, its memory, its identity.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace cinnabar::dispatch {

// What SHUTDOWN, signals and DEBUG ask of the process.
struct ShutdownRequest {
  bool save = false;
  bool nosave = false;
  bool now = false;
  bool force = false;
};

class ServerControl {
 public:
  virtual ~ServerControl() = default;
  // Begins an orderly shutdown; an error says why it cannot be. kEnds: the process ends after the current
  // command. kWaits: for replicas that lack something; see FailedShutdowns.
  enum class Shutting : uint8_t { kEnds, kWaits };
  virtual Result<Shutting> Shutdown(const ShutdownRequest& request) = 0;
  virtual bool AbortShutdown() = 0;
  // How many shutdowns that waited have come to nothing. When it rises copy waiters are served.
  virtual uint64_t FailedShutdowns() const = 0;
  // Applies what follows from a change of the pause: keys expire or not, postponed clients wake. With the
  // world stopped.
  virtual void PauseChanged() = 0;
  // INFO text for the given sections, in order. `all`, `default` and `everything` are understood.
  virtual std::string Info(const std::vector<std::string>& sections) = 0;
  virtual void ResetStatistics() = 0;
  virtual uint64_t UsedMemory() = 0;
  // Of UsedMemory, what maxmemory does not count: buffers that eviction would only make longer.
  virtual uint64_t UncountedMemory() = 0;
  virtual uint64_t PeakMemory() = 0;
  virtual uint64_t StartupMemory() = 0;
  virtual std::string_view RunId() const = 0;
  virtual Millis StartedAt() const = 0;
  virtual int Cores() const = 0;
  // Runs `work` on a worker thread, some time.
  virtual void Defer(std::function<void()> work) = 0;
};

}  // namespace cinnabar::dispatch
