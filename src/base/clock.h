// Time, in three forms.
//
//   Clock      a port for cold paths (cron, cluster, failover): virtual, so that tests and the simulator can
//              move time by hand. SystemClock is the real one, ManualClock the one for tests.
//   TickClock  the hot path's clock, one per core thread. A reading is a raw tick count (the CPU's time stamp
//              counter, about 10 ns, no system call); it becomes nanoseconds or wall time only when needed.
//   aliases    int64 counts whose name says the unit. Wall times count from the Unix epoch.
//
// TickClock turns ticks into time by a fixed-point factor: nanos = ticks * multiplier >> 32. The factor is
// measured for 2 ms at construction (good to some 100 ppm) and refined by every Resync over an ever longer
// span (good to 1 ppm within seconds). Where the CPU does not promise an invariant counter, a tick is simply
// a nanosecond of CLOCK_MONOTONIC.
#pragma once

#include <atomic>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace cinnabar {

using Nanos = int64_t;
using Micros = int64_t;
using Millis = int64_t;
using Ticks = uint64_t;

inline constexpr int64_t kNanosPerMicro = 1'000;
inline constexpr int64_t kNanosPerMilli = 1'000'000;
inline constexpr int64_t kNanosPerSecond = 1'000'000'000;
inline constexpr int64_t kMicrosPerSecond = 1'000'000;
inline constexpr int64_t kMillisPerSecond = 1'000;

// The system's clocks, read directly. Any thread; cost: one vDSO call.
Nanos SystemMonotonicNanos();
Nanos SystemWallNanos();

class TickClock {
 public:
  enum class Source {
    kBest,       // the time stamp counter if it is invariant, else CLOCK_MONOTONIC
    kMonotonic,  // CLOCK_MONOTONIC always
  };

  // Takes about 2 ms when the time stamp counter is used.
  explicit TickClock(Source source = Source::kBest);

  TickClock(const TickClock&) = delete;
  TickClock& operator=(const TickClock&) = delete;

  // The current tick. Any thread may call it; ticks of several TickClocks of the same source are comparable.
  Ticks Now() const {
#if defined(__x86_64__)
    if (__builtin_expect(uses_tsc_, 1)) return __rdtsc();
#endif
    return static_cast<Ticks>(SystemMonotonicNanos());
  }

  // The length of a span of ticks (a difference of two readings). Owner thread only.
  Nanos ToNanos(Ticks span) const {
    return static_cast<Nanos>((static_cast<unsigned __int128>(span) * multiplier_) >> kShift);
  }
  Micros ToMicros(Ticks span) const {
    return ToNanos(span) / kNanosPerMicro;
  }

  // The shortest span of ticks that lasts at least `nanos`. Owner thread only.
  Ticks ToTicks(Nanos nanos) const;

  // Wall time of a reading, based on the last Resync. Never runs backwards because of calibration; it does
  // follow when somebody sets the system's clock. Owner thread only.
  Nanos WallNanos(Ticks now) const {
    const auto since_base = static_cast<int64_t>(now - base_ticks_);
    const auto passed = static_cast<Nanos>((static_cast<__int128>(since_base) * multiplier_) >> kShift);
    const Nanos wall = base_wall_ + passed;
    return wall < floor_wall_ ? floor_wall_ : wall;
  }
  Micros WallMicros(Ticks now) const {
    return WallNanos(now) / kNanosPerMicro;
  }
  Millis WallMillis(Ticks now) const {
    return WallNanos(now) / kNanosPerMilli;
  }
  Millis WallMillis() const {
    return WallMillis(Now());
  }

  // Reads the system's clocks again and refines the factor. To be called by the owner about every 100 ms.
  void Resync();

  bool uses_tsc() const {
    return uses_tsc_;
  }

 private:
  static constexpr int kShift = 32;

  struct Sample {
    Ticks ticks;
    Nanos monotonic;
    Nanos wall;
  };

  Sample TakeSample() const;
  void Refine(const Sample& now);

  bool uses_tsc_ = false;
  uint64_t multiplier_ = uint64_t{1} << kShift;
  Ticks base_ticks_ = 0;  // the last Resync
  Nanos base_wall_ = 0;   // wall time at base_ticks_
  Nanos floor_wall_ = 0;  // what had been handed out by then
  Sample origin_{};       // start of the span over which the factor is measured
  Sample last_{};         // the last Resync, to notice a counter that was stopped or reset
};

// Time as a port, for everything that is not on the hot path. Implementations are safe on any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Millis WallMillis() const = 0;
  virtual Nanos MonotonicNanos() const = 0;
};

class SystemClock final : public Clock {
 public:
  Millis WallMillis() const override { return SystemWallNanos() / kNanosPerMilli; }
  Nanos MonotonicNanos() const override { return SystemMonotonicNanos(); }
};

// Stands still until it is told to move.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Millis wall = 1'700'000'000'000) : wall_(wall * kNanosPerMilli) {}

  Millis WallMillis() const override { return wall_.load() / kNanosPerMilli; }
  Nanos MonotonicNanos() const override { return monotonic_.load(); }

  // Moves both clocks forward.
  void AdvanceMillis(Millis millis) { AdvanceNanos(millis * kNanosPerMilli); }
  void AdvanceNanos(Nanos nanos) {
    wall_ += nanos;
    monotonic_ += nanos;
  }
  // Sets the wall clock alone, as an administrator would; either direction.
  void SetWallMillis(Millis wall) { wall_ = wall * kNanosPerMilli; }

 private:
  std::atomic<Nanos> wall_;
  std::atomic<Nanos> monotonic_{kNanosPerSecond};
};

}  // namespace cinnabar
