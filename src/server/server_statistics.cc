#include "server/server_statistics.h"

#include <algorithm>

namespace cinnabar::server {

void ServerStatistics::Sample(const Cores& cores) {
  const Millis now = SystemMonotonicNanos() / kNanosPerMilli;
  uint64_t commands = 0, in = 0, out = 0, turns = 0;
  Ticks turn_ticks = 0;
  // Read while the other cores count: a figure may be a moment old, which a rate can bear.
  for (auto& core : cores) {
    commands += core->dispatcher().telemetry().counters().commands.Get();
    in += core->figures().bytes_in.Get();
    out += core->figures().bytes_out.Get();
    turns += core->figures().turns.Get();
    turn_ticks += core->figures().turn_ticks.Get();
  }
  rates_.commands.Sample(now, commands);
  rates_.bytes_in.Sample(now, in);
  rates_.bytes_out.Sample(now, out);
  rates_.turns.Sample(now, turns);
  rates_.turn_micros.Sample(now, static_cast<uint64_t>(cores[0]->dispatcher().clock().ToMicros(turn_ticks)));
  peak_memory_ = std::max(peak_memory_, meter_.Used());
}

void ServerStatistics::Reset() {
  for (telemetry::RateSampler* rate :
       {&rates_.commands, &rates_.bytes_in, &rates_.bytes_out, &rates_.turns, &rates_.turn_micros})
    rate->Reset();
  peak_memory_ = meter_.Used();
  lazyfreed = 0;
}

}  // namespace cinnabar::server
