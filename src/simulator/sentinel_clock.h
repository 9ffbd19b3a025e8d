// The clocks of one simulated machine: they count from a moment of their own, run a little too fast or too
// slow, and the wall clock may be set.
#pragma once

#include "base/clock.h"
#include "simulator/event_queue.h"

namespace cinnabar::simulator {

class HostClock final : public Clock {
 public:
  // `per_million`: by how much it runs too fast. `begin`: what it shows now.
  HostClock(const EventQueue& events, int64_t per_million, Millis begin)
      : events_(events), per_million_(per_million), begin_(begin), since_(events.now()) {}

  Nanos MonotonicNanos() const override {
    const Millis passed = events_.now() - since_;
    return begin_ * kNanosPerMilli + passed * (1'000'000 + per_million_);
  }
  Millis WallMillis() const override { return MonotonicNanos() / kNanosPerMilli + wall_ahead_; }
  // An administrator, or a time server, sets the wall clock.
  void JumpWall(Millis by) { wall_ahead_ += by; }

 private:
  const EventQueue& events_;
  const int64_t per_million_;
  const Millis begin_;
  const Millis since_;
  Millis wall_ahead_ = 1'700'000'000'000;
};

}  // namespace cinnabar::simulator
