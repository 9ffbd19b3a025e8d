// ServerStatistics: figures of the server as a whole that no other part owns: rates, the peak of memory, and
// what the worker thread frees.
//
// Sample and Reset on core 0's thread or with the world stopped; the rest may be read by any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "os/allocator.h"
#include "server/core.h"
#include "telemetry/rate_sampler.h"

namespace cinnabar::server {

class ServerStatistics {
 public:
  explicit ServerStatistics(os::MemoryMeter& meter) : meter_(meter) {}

  // The server is complete, and holds nothing yet.
  void NoteStart() { startup_memory_ = peak_memory_ = meter_.Used(); }
  // Some times a second.
  void Sample(const Cores& cores);
  // CONFIG RESETSTAT.
  void Reset();

  uint64_t used_memory() const { return meter_.Used(); }
  uint64_t peak_memory() const { return peak_memory_; }
  uint64_t startup_memory() const { return startup_memory_; }

  // Per second.
  struct Rates {
    telemetry::RateSampler commands;
    telemetry::RateSampler bytes_in;
    telemetry::RateSampler bytes_out;
    telemetry::RateSampler turns;
    telemetry::RateSampler turn_micros;
  };
  const Rates& rates() const { return rates_; }

  // Values that are freed by the worker: those that wait for it, and those that it has freed.
  std::atomic<uint64_t> lazyfree_pending{0};
  std::atomic<uint64_t> lazyfreed{0};

 private:
  os::MemoryMeter& meter_;
  uint64_t startup_memory_ = 0;
  uint64_t peak_memory_ = 0;
  Rates rates_;
};

}  // namespace cinnabar::server
